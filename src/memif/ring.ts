//   0               4       6       8                      64      66                     128
//  +---------------+-------+-------+----------------------+-------+----------------------+--------------
//  | cookie        | flags | head  |                      | tail  |                      | descriptors …
//  +---------------+-------+-------+----------------------+-------+----------------------+--------------
//
//   0       2       4               8               12              16
//  +-------+-------+---------------+---------------+---------------+
//  | flags | region| length        | offset        | metadata      |      for every slot
//  +-------+-------+---------------+---------------+---------------+

/** What every ring starts with. */
export const RING_COOKIE = 0x3e31f20;
/** Before the descriptors. [bytes] */
export const RING_HEADER_LEN = 128;
/** Largest ring: cursors have 16 bits, and a full ring has to differ from an empty one. [log2 descriptors] */
export const MAX_LOG2_RING_SIZE = 14;

/** In a descriptor's flags: the frame goes on in the next one. The same bit as `FrameFlags.continues`. */
export const DESC_NEXT = 1;

const DESC_LEN = 16;

// In the u16 view.
const FLAGS = 2;
const HEAD = 3;
const TAIL = 32;

/** In a ring's flags: whoever takes from it polls, and wants no interrupt. */
const MASK_INTERRUPT = 1;

/** How many bytes a ring takes up. */
export function ringLen(log2Size: number): number {
  return RING_HEADER_LEN + (DESC_LEN << log2Size);
}

/**
 * One memif ring in shared memory: two free-running u16 cursors and the descriptors.
 *
 * Who may move which cursor depends on the direction: towards the server the client moves `head` with what it sends, and
 * the server `tail`; towards the client it lends buffers through `head`, and the server moves `tail` with those it has
 * filled. The other side is not trusted: a cursor is read once, and compared before it is used.
 *
 * `Atomics` are sequentially consistent: a cursor seen means descriptors seen, and the interrupt flag is read after the
 * cursor was stored, so that either we see that the peer wants a signal, or it sees the cursor before it sleeps.
 *
 * @source drivers/net/memif/memif.h of DPDK
 */
export class MemifRing {
  /** [descriptors] */
  readonly size: number;
  /** the descriptors, four words each: flags and region, length, offset, metadata */
  readonly words: Uint32Array;
  readonly #cursors: Uint16Array;

  /**
   * Views a ring; writes nothing.
   *
   * @param offset - where the ring lies in `buffer`, a multiple of 4 [bytes]
   * @throws RangeError when the ring does not fit
   */
  constructor(buffer: ArrayBuffer, offset: number, log2Size: number) {
    this.size = 1 << log2Size;
    this.#cursors = new Uint16Array(buffer, offset, RING_HEADER_LEN / 2);
    this.words = new Uint32Array(buffer, offset + RING_HEADER_LEN, this.size * 4);
  }

  /** Reads where the client stands; acquires what it wrote before. @hot */
  loadHead(): number {
    return Atomics.load(this.#cursors, HEAD);
  }

  /** Shows the server our cursor, and all that was written before. @hot */
  storeHead(head: number): void {
    Atomics.store(this.#cursors, HEAD, head);
  }

  /** Reads where the server stands; acquires what it wrote before. @hot */
  loadTail(): number {
    return Atomics.load(this.#cursors, TAIL);
  }

  /** Shows the client our cursor, and all that was written before. @hot */
  storeTail(tail: number): void {
    Atomics.store(this.#cursors, TAIL, tail);
  }

  /** Whether the other side wants to be woken. @hot */
  wantsInterrupt(): boolean {
    return (Atomics.load(this.#cursors, FLAGS) & MASK_INTERRUPT) === 0;
  }

  /** Says whether we, who take from this ring, want to be woken. */
  requestInterrupt(on: boolean): void {
    Atomics.store(this.#cursors, FLAGS, on ? 0 : MASK_INTERRUPT);
  }
}
