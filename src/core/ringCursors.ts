/**
 * The two ends of a single-producer, single-consumer ring whose cursors lie in shared memory.
 *
 * A ring is `size` slots, a power of two, and two free-running u32 cursors: `producer` counts the slots ever
 * published, `consumer` the slots ever given back. A slot's index is its cursor's low bits, and the fill level is
 * their difference modulo 2^32, so the cursors may wrap at any time:
 *
 * ```text
 *            consumer            producer
 *               v                   v
 *   … free … |  published, not yet  |  … free …
 *            |  released            |
 *             <- peek … release ->   <- reserve … submit ->
 * ```
 *
 * Each end owns one cursor and only reads the other, of which it keeps a copy. The copy is always a safe
 * underestimate (the opposite side only ever adds room, or work), so it is read again only when it does not suffice.
 * That makes one atomic load (at most) and one atomic store per burst, whatever the burst's length.
 *
 * The two edges that make the plain accesses to the slots safe:
 * - `submit` stores `producer` (release) after the slots are written; `peek` loads it (acquire) before they are
 *   read: who sees the cursor sees the slots.
 * - `release` stores `consumer` (release) after the slots are read; `reserve` loads it (acquire) before they are
 *   overwritten: no slot is overwritten while it is being read.
 *
 * Atomics are sequentially consistent in JavaScript, hence stronger than both; this is also what a caller relies on
 * who stores a cursor and then loads a flag of the other side (the kernel's NEED_WAKEUP).
 */

/** Memory that cursors can lie in: foreign memory comes as ArrayBuffer, memory between threads as SharedArrayBuffer. */
type RingBuffer = ArrayBufferLike;

// Cursors are kept as int32 (`| 0`): V8 holds them as Smis in the object itself, while a field that passes 2^31 turns
// into a boxed double (measured: 6x per access). int32 subtraction gives the same fill level as u32 subtraction.
const MAX_RING_SIZE = 2 ** 30;

function cursorView(buffer: RingBuffer, what: string, offset: number): Int32Array {
  if (!(Number.isInteger(offset) && offset >= 0 && offset % 4 === 0 && offset + 4 <= buffer.byteLength)) {
    throw new RangeError(
      `Cannot place the ${what} cursor: offset must be a multiple of 4 below ${buffer.byteLength}, got ${offset}`,
    );
  }
  return new Int32Array(buffer, offset, 1);
}

function checkedSize(size: number): number {
  if (!(Number.isInteger(size) && size >= 1 && size <= MAX_RING_SIZE && (size & (size - 1)) === 0)) {
    throw new RangeError(`Cannot use a ring: size must be a power of two from 1 to 2^30 slots, got ${size}`);
  }
  return size;
}

/**
 * The end of a ring that fills slots: `reserve → write → submit`.
 *
 * Does not touch the slots themselves: what a slot index means is the caller's business. One thread only.
 *
 * @source linux/if_xdp.h, tools/lib/bpf/xsk.h (the protocol of the fill and tx rings)
 */
export class ProducerCursor {
  /** Slots of the ring, a power of two [slots]. */
  readonly size: number;
  readonly #mask: number;
  readonly #producerCell: Int32Array;
  readonly #consumerCell: Int32Array;
  #producer: number;
  #consumer: number;

  /**
   * Takes up the ring where the cursors in memory stand, so a fresh (zeroed) and a running ring open alike.
   *
   * @param producerOffset - where our u32 cursor lies in `buffer` [bytes]
   * @param consumerOffset - where the consumer's u32 cursor lies in `buffer` [bytes]
   * @param size - slots, a power of two up to 2^30 [slots]
   * @throws RangeError when the size is no power of two, or an offset is unaligned or outside `buffer`
   */
  constructor(buffer: ArrayBufferLike, producerOffset: number, consumerOffset: number, size: number) {
    this.size = checkedSize(size);
    this.#mask = size - 1;
    this.#producerCell = cursorView(buffer, 'producer', producerOffset);
    this.#consumerCell = cursorView(buffer, 'consumer', consumerOffset);
    this.#producer = Atomics.load(this.#producerCell, 0);
    this.#consumer = Atomics.load(this.#consumerCell, 0);
  }

  /**
   * Finds up to `count` free slots, which {@link slot} then names; a second call finds the same ones.
   *
   * Nothing is visible to the consumer before {@link submit}. Never blocks, never throws.
   *
   * @param count - slots wanted, 0 to `size` [slots]
   * @returns slots that may be written, `count` or what there is [slots]
   * @hot one acquire load, and only when the cached consumer cursor does not suffice
   */
  reserve(count: number): number {
    let free = this.size - ((this.#producer - this.#consumer) | 0);
    if (free >= count) return count;
    // Acquire: the consumer's reads of the slots it gave back happened before our writes to them.
    this.#consumer = Atomics.load(this.#consumerCell, 0);
    free = this.size - ((this.#producer - this.#consumer) | 0);
    if (free >= count) return count;
    return Math.max(free, 0);
  }

  /**
   * The index of the `i`-th reserved slot, always inside the ring whatever the memory says.
   *
   * @param i - 0 to what {@link reserve} returned, minus 1
   * @returns slot index, 0 to `size` - 1
   * @hot
   */
  slot(i: number): number {
    return (this.#producer + i) & this.#mask;
  }

  /**
   * Publishes the first `count` reserved slots to the consumer, in order.
   *
   * @param count - at most what {@link reserve} returned [slots]
   * @hot one release store
   */
  submit(count: number): void {
    this.#producer = (this.#producer + count) | 0;
    // Release: our writes to the slots happened before whatever the consumer does after it sees this cursor.
    Atomics.store(this.#producerCell, 0, this.#producer);
  }

  /**
   * How many slots are free right now, asked of shared memory.
   *
   * @returns free slots [slots]
   * @hot one acquire load
   */
  free(): number {
    this.#consumer = Atomics.load(this.#consumerCell, 0);
    return this.size - ((this.#producer - this.#consumer) | 0);
  }
}

/**
 * The end of a ring that empties slots: `peek → read → release`.
 *
 * Does not touch the slots themselves. One thread only.
 *
 * @source linux/if_xdp.h, tools/lib/bpf/xsk.h (the protocol of the rx and completion rings)
 */
export class ConsumerCursor {
  /** Slots of the ring, a power of two [slots]. */
  readonly size: number;
  readonly #mask: number;
  readonly #producerCell: Int32Array;
  readonly #consumerCell: Int32Array;
  #producer: number;
  #consumer: number;

  /**
   * Takes up the ring where the cursors in memory stand; what was published and not released is still to be read.
   *
   * @param producerOffset - where the producer's u32 cursor lies in `buffer` [bytes]
   * @param consumerOffset - where our u32 cursor lies in `buffer` [bytes]
   * @param size - slots, a power of two up to 2^30 [slots]
   * @throws RangeError when the size is no power of two, or an offset is unaligned or outside `buffer`
   */
  constructor(buffer: ArrayBufferLike, producerOffset: number, consumerOffset: number, size: number) {
    this.size = checkedSize(size);
    this.#mask = size - 1;
    this.#producerCell = cursorView(buffer, 'producer', producerOffset);
    this.#consumerCell = cursorView(buffer, 'consumer', consumerOffset);
    this.#consumer = Atomics.load(this.#consumerCell, 0);
    this.#producer = Atomics.load(this.#producerCell, 0);
  }

  /**
   * Finds up to `count` published slots, which {@link slot} then names; a second call finds the same ones first.
   *
   * The slots stay ours, and unchanged, until {@link release}. Never blocks, never throws.
   *
   * @param count - slots wanted, 0 to `size` [slots]
   * @returns slots that may be read, `count` or what there is [slots]
   * @hot one acquire load, and only when the cached producer cursor does not suffice
   */
  peek(count: number): number {
    let available = (this.#producer - this.#consumer) | 0;
    if (available >= count) return count;
    // Acquire: the producer's writes to the slots it published happened before our reads of them.
    this.#producer = Atomics.load(this.#producerCell, 0);
    available = (this.#producer - this.#consumer) | 0;
    if (available >= count) return count;
    return Math.max(available, 0);
  }

  /**
   * The index of the `i`-th peeked slot, always inside the ring whatever the memory says.
   *
   * @param i - 0 to what {@link peek} returned, minus 1
   * @returns slot index, 0 to `size` - 1
   * @hot
   */
  slot(i: number): number {
    return (this.#consumer + i) & this.#mask;
  }

  /**
   * Gives the first `count` peeked slots back to the producer, which may overwrite them at once.
   *
   * @param count - at most what {@link peek} returned [slots]
   * @hot one release store
   */
  release(count: number): void {
    this.#consumer = (this.#consumer + count) | 0;
    // Release: our reads of the slots happened before the producer, seeing this cursor, overwrites them.
    Atomics.store(this.#consumerCell, 0, this.#consumer);
  }

  /**
   * How many slots are published and not released right now, asked of shared memory.
   *
   * @returns slots to read [slots]
   * @hot one acquire load
   */
  available(): number {
    this.#producer = Atomics.load(this.#producerCell, 0);
    return (this.#producer - this.#consumer) | 0;
  }
}
