import type { Burst } from './burst.ts';
import type { ChunkLayout } from './chunkLedger.ts';
import { ChunkLedger, ChunkOwner } from './chunkLedger.ts';

// Addresses stay below 2^31, so they are Smis, and views of a umem keep their fast path.
const MAX_ADDR = 2 ** 31 - 1;

/** How to build a {@link ChunkPool}. */
export interface ChunkPoolSpec extends ChunkLayout {
  /** Whether to keep a {@link ChunkLedger}; false by default, as it makes every step some 100 times slower. */
  readonly debug?: boolean;
}

/**
 * The free chunks of a umem: a stack of addresses, preallocated for all of them.
 *
 * Last in, first out: the chunk given back last is the one whose lines are still in the cache. It knows only what
 * is free; where the other chunks are is the business of the rings, and of the ledger when there is one.
 * One thread only.
 */
export class ChunkPool {
  /** Chunks in all, free or not [chunks]. */
  readonly count: number;
  /** Size of a chunk [bytes]. */
  readonly chunkLen: number;
  /** Where the first chunk lies in its region [bytes]. */
  readonly base: number;
  /** Owner of every chunk in debug mode, else null; check it once per burst, not per chunk. */
  readonly ledger: ChunkLedger | null;
  /** Keeps the chunk's own address when ANDed with any address inside it; 0 when `chunkLen` is no power of two. */
  readonly chunkMask: number;
  readonly #stack: Uint32Array;
  #free: number;

  /**
   * Starts with every chunk free; the first one taken is the lowest.
   *
   * @throws RangeError when a number is out of range, `base` is no multiple of `chunkLen`, or the last byte lies
   *   at 2^31 - 1 or above
   */
  constructor(spec: ChunkPoolSpec) {
    checkLayout(spec);
    this.count = spec.count;
    this.chunkLen = spec.chunkLen;
    this.base = spec.base ?? 0;
    this.ledger = spec.debug === true ? new ChunkLedger(spec) : null;
    this.chunkMask = (this.chunkLen & (this.chunkLen - 1)) === 0 ? -this.chunkLen : 0;
    this.#stack = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      this.#stack[i] = this.base + (this.count - 1 - i) * this.chunkLen;
    }
    this.#free = this.count;
  }

  /** Chunks in the pool [chunks]. */
  get free(): number {
    return this.#free;
  }

  /**
   * The start of the chunk that `addr` lies in; the kernel's descriptors point behind the headroom.
   *
   * @param addr - any address inside a chunk [bytes into the region]
   * @returns the chunk's own address [bytes into the region]
   * @hot
   */
  chunkOf(addr: number): number {
    return this.chunkMask !== 0 ? addr & this.chunkMask : addr - (addr % this.chunkLen);
  }

  /**
   * Takes a chunk for the application.
   *
   * @returns the chunk's address [bytes into the region]; -1 when none is free
   * @hot
   */
  take(): number {
    if (this.#free === 0) return -1;
    this.#free--;
    const addr = this.#stack[this.#free]!;
    if (this.ledger !== null) this.ledger.move(addr, ChunkOwner.free, ChunkOwner.application);
    return addr;
  }

  /**
   * Takes up to `n` chunks for the application and writes their addresses to `to[at]`, `to[at + 1]`, ….
   *
   * @param to - such as {@link Burst.addr}
   * @returns chunks taken, `n` or what there is [chunks]
   * @hot
   */
  takeInto(to: Uint32Array, at: number, n: number): number {
    const taken = Math.min(n, this.#free);
    const top = this.#free - 1;
    for (let i = 0; i < taken; i++) to[at + i] = this.#stack[top - i]!;
    this.#free -= taken;
    if (this.ledger !== null) {
      for (let i = 0; i < taken; i++) this.ledger.move(to[at + i]!, ChunkOwner.free, ChunkOwner.application);
    }
    return taken;
  }

  /**
   * Appends up to `count` frames to `burst`, each in a chunk of its own and of length 0 until it is written.
   *
   * @param region - of the pool, for the descriptors
   * @param headroom - from the start of a chunk to that of its frame [bytes]
   * @returns frames appended, fewer when chunks or room in the burst run out [descriptors]
   * @hot
   */
  allocInto(burst: Burst, count: number, region: number, headroom: number): number {
    const first = burst.count;
    const addr = burst.addr;
    const taken = this.takeInto(addr, first, Math.min(count, burst.capacity - first));
    const len = burst.len;
    const regions = burst.region;
    const flags = burst.flags;
    for (let i = first; i < first + taken; i++) {
      addr[i]! += headroom;
      len[i] = 0;
      regions[i] = region;
      flags[i] = 0;
    }
    burst.count = first + taken;
    return taken;
  }

  /**
   * Gives back the chunk that `addr` lies in, from the application or off the completion ring.
   *
   * @param addr - any address inside the chunk [bytes into the region]
   * @throws RangeError when more chunks come back than there are, the one double recycle that shows without a ledger
   * @throws Error in debug mode, when the chunk is with neither owner
   * @hot
   */
  put(addr: number): void {
    const chunk = this.chunkOf(addr);
    if (this.ledger !== null) freeInLedger(this.ledger, chunk);
    if (this.#free === this.count) throwOverflow(this.count);
    this.#stack[this.#free] = chunk;
    this.#free++;
  }

  /**
   * Gives back the chunks that `from[at]`, `from[at + 1]`, … lie in; what holds for {@link put} holds for each.
   *
   * @param from - such as {@link Burst.addr}
   * @param n - how many [chunks]
   * @hot
   */
  putFrom(from: Uint32Array, at: number, n: number): void {
    const mask = this.chunkMask;
    if (mask === 0 || this.ledger !== null) {
      for (let i = 0; i < n; i++) this.put(from[at + i]!);
      return;
    }
    const stack = this.#stack;
    const top = this.#free;
    if (top + n > this.count) throwOverflow(this.count);
    for (let i = 0; i < n; i++) stack[top + i] = from[at + i]! & mask;
    this.#free = top + n;
  }
}

function checkLayout(spec: ChunkPoolSpec): void {
  const { count, chunkLen, base = 0 } = spec;
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new RangeError(`Cannot build a chunk pool: count must be a whole number from 1 on, got ${count}`);
  }
  if (!(Number.isInteger(chunkLen) && chunkLen >= 1)) {
    throw new RangeError(
      `Cannot build a chunk pool: chunkLen must be a whole number from 1 on, got ${chunkLen}`,
    );
  }
  if (!(Number.isInteger(base) && base >= 0 && base % chunkLen === 0)) {
    throw new RangeError(
      `Cannot build a chunk pool: base must be a multiple of ${chunkLen} bytes, got ${base}`,
    );
  }
  if (base + count * chunkLen > MAX_ADDR) {
    throw new RangeError(
      `Cannot build a chunk pool: its last byte must lie below ${MAX_ADDR}, got ${base + count * chunkLen - 1}`,
    );
  }
}

function freeInLedger(ledger: ChunkLedger, chunk: number): void {
  const from =
    ledger.ownerOf(chunk) === ChunkOwner.completion ? ChunkOwner.completion : ChunkOwner.application;
  ledger.move(chunk, from, ChunkOwner.free);
}

// Cold on purpose: a throw inside the hot function would keep it from being inlined.
function throwOverflow(count: number): never {
  throw new RangeError(`Cannot put a chunk back: all ${count} are free, so one was put back twice`);
}
