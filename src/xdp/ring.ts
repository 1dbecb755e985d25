import { ConsumerCursor, ProducerCursor } from '../core/index.ts';
import { XDP_RING_NEED_WAKEUP } from '../sys/uapi/index.ts';

/** u32 words of a `struct xdp_desc`: addr (two words), len, options. @source linux/if_xdp.h */
export const DESC_WORDS: number = 4;
/** u32 words of a fill or completion entry: a u64 addr. */
export const ADDR_WORDS: number = 2;

/** Where the parts of a ring lie: in a mapping of the kernel's memory, or in any other. */
export interface RingMemory {
  readonly buffer: ArrayBufferLike;
  /** of our or the kernel's u32 cursor [bytes] */
  readonly producer: number;
  /** of the other u32 cursor [bytes] */
  readonly consumer: number;
  /** of the u32 of XDP_RING_… flags [bytes] */
  readonly flags: number;
  /** of the first slot [bytes] */
  readonly slots: number;
  /** slots, a power of two */
  readonly size: number;
}

/** What both ends of a ring share: its slots, and the kernel's word on whether it sleeps. */
class Ring {
  /** slots, a power of two */
  readonly size: number;
  /** the slots as u32 words, {@link DESC_WORDS} or {@link ADDR_WORDS} each */
  readonly words: Uint32Array;
  readonly #flags: Int32Array;

  constructor({ buffer, flags, slots, size }: RingMemory, wordsPerSlot: number) {
    this.size = size;
    this.words = new Uint32Array(buffer, slots, size * wordsPerSlot);
    this.#flags = new Int32Array(buffer, flags, 1);
  }

  /**
   * Tells whether the kernel sleeps on this ring and wants a system call.
   *
   * NB: an atomic load, because it must not be satisfied before the cursor store that precedes it; otherwise the
   * kernel's "I sleep" and our "there is work" can miss each other.
   *
   * @hot
   */
  needsWakeup(): boolean {
    return (Atomics.load(this.#flags, 0) & XDP_RING_NEED_WAKEUP) !== 0;
  }
}

/** A ring that we fill: the tx ring, and as a {@link FillRing} the fill ring. */
export class ProducerRing extends Ring {
  readonly cursor: ProducerCursor;

  /** Takes the ring up where its cursors stand. */
  constructor(memory: RingMemory, wordsPerSlot: number = DESC_WORDS) {
    super(memory, wordsPerSlot);
    this.cursor = new ProducerCursor(memory.buffer, memory.producer, memory.consumer, memory.size);
  }
}

/** The fill ring, and how many chunks the kernel has of it: on the ring, or taken off and not received yet. */
export class FillRing extends ProducerRing {
  /** [chunks] */
  lent: number = 0;

  /** Takes the ring up where its cursors stand. */
  constructor(memory: RingMemory) {
    super(memory, ADDR_WORDS);
  }
}

/** A ring that we drain: the rx ring (descriptors) and the completion ring (addrs). */
export class ConsumerRing extends Ring {
  readonly cursor: ConsumerCursor;

  /** Takes the ring up where its cursors stand. */
  constructor(memory: RingMemory, wordsPerSlot: number) {
    super(memory, wordsPerSlot);
    this.cursor = new ConsumerCursor(memory.buffer, memory.producer, memory.consumer, memory.size);
  }
}

/** The four rings of a nicQueue as one socket sees them. Sockets on one nicQueue and umem share the last two. */
export interface RingSet {
  readonly rx: ConsumerRing;
  readonly tx: ProducerRing;
  readonly fill: FillRing;
  readonly completion: ConsumerRing;
}
