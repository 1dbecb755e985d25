/** Who may read and write a chunk; exactly one of these at any time. */
export const ChunkOwner = {
  /** In the pool. */
  free: 0,
  /** On the fill ring, or taken off it by the kernel and not yet received by us. */
  fill: 1,
  /** In the hands of whoever received, or allocated, the frame. */
  application: 2,
  /** On the tx ring, or being sent. */
  tx: 3,
  /** Peeked off the completion ring, not yet back in the pool. */
  completion: 4,
} as const;

/** A value of {@link ChunkOwner}. */
export type ChunkOwner = (typeof ChunkOwner)[keyof typeof ChunkOwner];

/** How many chunks each owner has [chunks]. */
export type ChunkCounts = Record<keyof typeof ChunkOwner, number>;

const OWNER_NAMES = Object.keys(ChunkOwner) as (keyof typeof ChunkOwner)[];

/** The chunks that a ledger speaks for: `count` of `chunkLen` bytes each, from `base` on. */
export interface ChunkLayout {
  /** Chunks [chunks]. */
  readonly count: number;
  /** Size of a chunk [bytes]. */
  readonly chunkLen: number;
  /** Where the first chunk lies in its region, a multiple of `chunkLen` [bytes]; 0 by default. */
  readonly base?: number;
}

/**
 * Keeps the one owner of every chunk, and throws the moment a chunk moves that its mover does not own.
 *
 * For debugging and tests: a double recycle, a frame sent twice, a frame touched after it was sent all show up where
 * they happen, with the stack that took the chunk. It changes no memory and no ring.
 */
export class ChunkLedger {
  readonly #owners: Uint8Array;
  readonly #takenAt: (Error | undefined)[];
  readonly #chunkLen: number;
  readonly #base: number;

  /** Starts with every chunk free. */
  constructor(layout: ChunkLayout) {
    this.#owners = new Uint8Array(layout.count);
    this.#takenAt = new Array(layout.count).fill(undefined);
    this.#chunkLen = layout.chunkLen;
    this.#base = layout.base ?? 0;
  }

  /**
   * Hands the chunk around `addr` from one owner to the next.
   *
   * @param addr - any address inside the chunk [bytes into the region]
   * @throws RangeError when the address is in no chunk of the ledger
   * @throws Error when `from` is not the owner; it says who is, and where the chunk was taken from the pool
   */
  move(addr: number, from: ChunkOwner, to: ChunkOwner): void {
    const index = this.#indexOf(addr);
    if (this.#owners[index] !== from) {
      const wanted = `Cannot move chunk at ${addr} from ${OWNER_NAMES[from]} to ${OWNER_NAMES[to]}`;
      throw new Error(`${wanted}: its owner is ${this.#describe(index)}`);
    }
    this.#owners[index] = to;
    if (to === ChunkOwner.application) this.#takenAt[index] = stackHere();
  }

  /** Who owns the chunk around `addr`; throws RangeError when the address is in no chunk of the ledger. */
  ownerOf(addr: number): ChunkOwner {
    return this.#owners[this.#indexOf(addr)] as ChunkOwner;
  }

  /** Counts the chunks of each owner, one by one; the sum is the number of chunks. */
  audit(): ChunkCounts {
    const counts: ChunkCounts = { free: 0, fill: 0, application: 0, tx: 0, completion: 0 };
    for (const owner of this.#owners) counts[OWNER_NAMES[owner]!]++;
    return counts;
  }

  /**
   * Asserts that `owner` has no chunk, as at close, where a chunk still with the application is a leak.
   *
   * @throws Error with the number of chunks, the first one's address and where it was taken
   */
  assertNone(owner: ChunkOwner): void {
    const index = this.#owners.indexOf(owner);
    if (index < 0) return;
    const addr = this.#base + index * this.#chunkLen;
    const held = this.audit()[OWNER_NAMES[owner]!];
    throw new Error(
      `Cannot account for ${held} chunks; the first, at ${addr}, is with ${this.#describe(index)}`,
    );
  }

  #indexOf(addr: number): number {
    const index = Math.floor((addr - this.#base) / this.#chunkLen);
    if (!(index >= 0 && index < this.#owners.length)) {
      const end = this.#base + this.#owners.length * this.#chunkLen;
      throw new RangeError(`Cannot find a chunk: address must be ${this.#base} to ${end - 1}, got ${addr}`);
    }
    return index;
  }

  #describe(index: number): string {
    const owner = OWNER_NAMES[this.#owners[index]!]!;
    const stack = this.#takenAt[index]?.stack;
    if (stack === undefined) return `${owner}, and it was never taken`;
    return `${owner}, last taken${stack.slice(stack.indexOf('\n'))}`;
  }
}

// The stack becomes text only when it is read, which makes remembering one per chunk affordable.
function stackHere(): Error {
  const here = new Error();
  Error.captureStackTrace(here, ChunkLedger.prototype.move);
  return here;
}
