import { ConsumerCursor, ProducerCursor } from './ringCursors.ts';

// The header, then the two cursors on cache lines of their own, then the records:
//
//   byte  0        4        8          12
//         +--------+--------+----------+----------+-- … --+
//     0   | magic  |version | recordLen| capacity | zero  |   written once, by create
//         +--------+--------+----------+----------+-- … --+
//   128   |producer|                 zero                 |   written by the producer
//         +--------+--------------------------------------+
//   256   |consumer|                 zero                 |   written by the consumer
//         +--------+--------------------------------------+
//   384   | record 0 | record 1 | … | record capacity - 1 |
//         +-----------------------------------------------+
//
// NB: 128 and not 64 bytes apart, because x86 prefetches cache lines in pairs: two cursors in one pair would still
// bounce between the cores.
const LINE = 128;
const PRODUCER = LINE;
const CONSUMER = 2 * LINE;
const RECORDS = 3 * LINE;
const MAGIC = 0x51535742; // "BWSQ" in memory
const VERSION = 1;
const MAX_LEN = 2 ** 31 - 1;

/** The shape of a {@link SpscQueue}. */
export interface SpscQueueSpec {
  /** Size of a record, a multiple of 8 [bytes]. */
  readonly recordLen: number;
  /** Records that fit, a power of two [records]. */
  readonly capacity: number;
}

/**
 * A queue of fixed-size records from one thread (or process) to another, in memory that both share.
 *
 * This is the memory and its shape; {@link producer} and {@link consumer} are the ends, and each must be held by one
 * thread only. It never blocks and wakes nobody: whoever waits polls, or arranges a wake-up beside it.
 */
export class SpscQueue {
  /** Size of a record [bytes]. */
  readonly recordLen: number;
  /** Records that fit [records]. */
  readonly capacity: number;
  readonly #buffer: ArrayBufferLike;
  readonly #offset: number;

  private constructor(buffer: ArrayBufferLike, offset: number, spec: SpscQueueSpec) {
    this.recordLen = spec.recordLen;
    this.capacity = spec.capacity;
    this.#buffer = buffer;
    this.#offset = offset;
  }

  /**
   * The memory that a queue takes, a multiple of 128 so that queues can be laid end to end.
   *
   * @returns size [bytes]
   * @throws RangeError when `recordLen` is no multiple of 8, `capacity` no power of two, or the whole beyond 2^31 - 1
   */
  static sizeOf(spec: SpscQueueSpec): number {
    const fault = specFault(spec);
    if (fault !== null) throw new RangeError(`Cannot build a queue: ${fault}`);
    return sizeOf(spec);
  }

  /**
   * Makes `sizeOf(spec)` bytes at `offset` an empty queue, whatever they held before.
   *
   * @param offset - where the queue starts, a multiple of 128 [bytes]
   * @throws RangeError as {@link sizeOf} does, or when the memory is too small or the offset unaligned
   */
  static create(buffer: ArrayBufferLike, offset: number, spec: SpscQueueSpec): SpscQueue {
    const size = SpscQueue.sizeOf(spec);
    checkPlace(buffer, offset, size);
    const header = new Int32Array(buffer, offset, RECORDS / 4);
    header.fill(0);
    header[1] = VERSION;
    header[2] = spec.recordLen;
    header[3] = spec.capacity;
    Atomics.store(header, 0, MAGIC); // last: who sees the magic sees the rest
    return new SpscQueue(buffer, offset, spec);
  }

  /**
   * Opens the queue that another thread or process has created at `offset`, with whatever is in it.
   *
   * @param offset - where the queue starts, a multiple of 128 [bytes]
   * @throws RangeError when the offset is unaligned or leaves no room for a header
   * @throws Error when the memory holds no queue of this version, or one that does not fit; it says what is wrong
   */
  static open(buffer: ArrayBufferLike, offset: number): SpscQueue {
    checkPlace(buffer, offset, RECORDS);
    const header = new Int32Array(buffer, offset, RECORDS / 4);
    const magic = Atomics.load(header, 0);
    const fail = (cause: string): never => {
      throw new Error(`Cannot open a queue at offset ${offset}: ${cause}`);
    };
    if (magic !== MAGIC) fail(`magic must be 0x${MAGIC.toString(16)}, got 0x${(magic >>> 0).toString(16)}`);
    if (header[1] !== VERSION) fail(`version must be ${VERSION}, got ${header[1]}`);
    const spec = { recordLen: header[2]!, capacity: header[3]! };
    const fault = specFault(spec);
    if (fault !== null) fail(fault);
    const room = buffer.byteLength - offset;
    if (sizeOf(spec) > room) fail(`it takes ${sizeOf(spec)} bytes, got ${room}`);
    return new SpscQueue(buffer, offset, spec);
  }

  /** The end that writes; call it in the one thread that does. */
  producer(): SpscProducer {
    return new SpscProducer(this.#buffer, this.#offset, this);
  }

  /** The end that reads; call it in the one thread that does. */
  consumer(): SpscConsumer {
    return new SpscConsumer(this.#buffer, this.#offset, this);
  }
}

/**
 * The writing end of a {@link SpscQueue}: `reserve(n)`, write record `i` at {@link recordOffset}, `submit(n)`.
 *
 * It inherits the cursor's cost: at most one atomic load and one atomic store per burst, however many records.
 */
export class SpscProducer extends ProducerCursor {
  /** Size of a record [bytes]. */
  readonly recordLen: number;
  /** All records, for mixed field sizes; index it with {@link recordOffset}. */
  readonly view: DataView;
  /** All records as int32 words in host order; index it with `recordOffset(i) >>> 2`. */
  readonly i32: Int32Array;

  /** Takes up the queue at `offset` where its cursors stand; {@link SpscQueue.producer} has checked the rest. */
  constructor(buffer: ArrayBufferLike, offset: number, spec: SpscQueueSpec) {
    super(buffer, offset + PRODUCER, offset + CONSUMER, spec.capacity);
    this.recordLen = spec.recordLen;
    this.view = new DataView(buffer, offset + RECORDS, spec.capacity * spec.recordLen);
    this.i32 = new Int32Array(buffer, offset + RECORDS, this.view.byteLength / 4);
  }

  /**
   * Where the `i`-th reserved record starts in {@link view}.
   *
   * @param i - 0 to what `reserve` returned, minus 1
   * @returns offset, a multiple of 8 [bytes]
   * @hot
   */
  recordOffset(i: number): number {
    return Math.imul(this.slot(i), this.recordLen);
  }
}

/**
 * The reading end of a {@link SpscQueue}: `peek(n)`, read record `i` at {@link recordOffset}, `release(n)`.
 *
 * A record that has been released may be overwritten at once; what is to outlive it has to be copied before.
 */
export class SpscConsumer extends ConsumerCursor {
  /** Size of a record [bytes]. */
  readonly recordLen: number;
  /** All records, for mixed field sizes; index it with {@link recordOffset}. */
  readonly view: DataView;
  /** All records as int32 words in host order; index it with `recordOffset(i) >>> 2`. */
  readonly i32: Int32Array;

  /** Takes up the queue at `offset` where its cursors stand; {@link SpscQueue.consumer} has checked the rest. */
  constructor(buffer: ArrayBufferLike, offset: number, spec: SpscQueueSpec) {
    super(buffer, offset + PRODUCER, offset + CONSUMER, spec.capacity);
    this.recordLen = spec.recordLen;
    this.view = new DataView(buffer, offset + RECORDS, spec.capacity * spec.recordLen);
    this.i32 = new Int32Array(buffer, offset + RECORDS, this.view.byteLength / 4);
  }

  /**
   * Where the `i`-th peeked record starts in {@link view}.
   *
   * @param i - 0 to what `peek` returned, minus 1
   * @returns offset, a multiple of 8 [bytes]
   * @hot
   */
  recordOffset(i: number): number {
    return Math.imul(this.slot(i), this.recordLen);
  }
}

function specFault(spec: SpscQueueSpec): string | null {
  const { recordLen, capacity } = spec;
  if (!(Number.isInteger(recordLen) && recordLen >= 8 && recordLen % 8 === 0)) {
    return `recordLen must be a multiple of 8 bytes, got ${recordLen}`;
  }
  if (!(Number.isInteger(capacity) && capacity >= 1 && Number.isInteger(Math.log2(capacity)))) {
    return `capacity must be a power of two, got ${capacity}`;
  }
  const size = sizeOf(spec);
  return size > MAX_LEN ? `its size must be at most ${MAX_LEN} bytes, got ${size}` : null;
}

function sizeOf(spec: SpscQueueSpec): number {
  return RECORDS + Math.ceil((spec.recordLen * spec.capacity) / LINE) * LINE;
}

function checkPlace(buffer: ArrayBufferLike, offset: number, size: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && offset % LINE === 0)) {
    throw new RangeError(`Cannot place a queue: offset must be a multiple of ${LINE} bytes, got ${offset}`);
  }
  if (offset + size > buffer.byteLength) {
    const room = buffer.byteLength - offset;
    throw new RangeError(`Cannot place a queue: it needs ${size} bytes from offset ${offset}, got ${room}`);
  }
}
