import { type Burst, copyBytes, FrameFlags } from '../core/index.ts';
import { MemifCounter } from './counters.ts';
import { MemifLie } from './lies.ts';
import type { PacketMemory } from './packetMemory.ts';
import { DESC_NEXT, type MemifRing } from './ring.ts';

/**
 * The server's end of a pair of rings: the memory is the peer's, so frames are copied, out of it and into it.
 *
 * Every descriptor is read once and checked before its memory is touched; afterwards a frame is ours, and nothing that
 * the peer does later changes it, not even its death. What is held here never keeps a buffer of the peer's.
 *
 * Hot functions return a {@link MemifLie} when the peer has said what cannot be; the queue is then to be released.
 */
export class ServerQueue {
  readonly #memory: PacketMemory;
  readonly #in: MemifRing;
  readonly #out: MemifRing;
  readonly #counters: Float64Array;
  /** the peer's memory, by region index */
  readonly #views: readonly DataView[];
  readonly #lens: Float64Array;
  /** by piece of a long frame, how much of a lent buffer it fills */
  readonly #filled: Uint32Array;
  #inTail = 0;
  #outTail = 0;

  /**
   * Takes up fresh rings.
   *
   * @param regions - the peer's memory, by region index
   * @param counters - indexes are {@link MemifCounter}
   */
  constructor(
    toServer: MemifRing,
    toClient: MemifRing,
    regions: readonly ArrayBuffer[],
    memory: PacketMemory,
    counters: Float64Array,
  ) {
    this.#memory = memory;
    this.#counters = counters;
    this.#in = toServer;
    this.#out = toClient;
    this.#views = regions.map((region) => new DataView(region));
    this.#lens = Float64Array.from(regions, ({ byteLength }) => byteLength);
    this.#filled = new Uint32Array(toClient.size);
    toServer.requestInterrupt(false);
  }

  /**
   * Receives up to `burst.capacity` frames, each into chunks of ours. Sets `burst.count`.
   *
   * What finds no chunk stays on the ring.
   *
   * @returns descriptors, or a {@link MemifLie}
   * @hot one acquire load and one release store
   */
  rx(burst: Burst): number {
    burst.count = 0;
    const ring = this.#in;
    const tail = this.#inTail;
    const available = (ring.loadHead() - tail) & 0xffff;
    if (available === 0) return 0;
    if (available > ring.size) return MemifLie.cursor;
    const memory = this.#memory;
    const pool = memory.pool;
    const wanted = Math.min(available, burst.capacity);
    const taken = pool.takeInto(burst.addr, 0, wanted);
    const words = ring.words;
    const mask = ring.size - 1;
    const room = memory.chunkLen;
    const own = memory.view;
    const views = this.#views;
    const lens = this.#lens;
    const addr = burst.addr;
    const len = burst.len;
    const region = burst.region;
    const flags = burst.flags;
    let count = 0;
    let code = 0;
    let bytes = 0;
    for (; count < taken; count++) {
      const word = ((tail + count) & mask) << 2;
      const what = words[word]!;
      const frameLen = words[word + 1]!;
      const offset = words[word + 2]!;
      // A frame in several pieces, in one that is longer than a chunk, or of no length: by itself, if it is the first.
      if ((what & DESC_NEXT) !== 0 || (frameLen - 1) >>> 0 >= room) break;
      const where = what >>> 16;
      if (where >= views.length || offset + frameLen > lens[where]!) {
        code = MemifLie.bounds;
        break;
      }
      copyBytes(views[where]!, offset, own, addr[count]!, frameLen);
      bytes = (bytes + frameLen) | 0;
      len[count] = frameLen;
      region[count] = 0;
      flags[count] = 0;
    }
    pool.putFrom(addr, count, taken - count);
    if (count > 0) {
      // What came before a lie is received; the lie is met again.
      this.#inTail = (tail + count) & 0xffff;
      ring.storeTail(this.#inTail);
      burst.count = count;
      burst.clearMetadata(count);
      this.#counters[MemifCounter.rxFrames]! += count;
      this.#counters[MemifCounter.rxBytes]! += bytes;
      return count;
    }
    return code < 0 || taken === 0 ? code : this.#rxChain(burst, available);
  }

  /**
   * Copies frames into the buffers that the client has lent: a prefix, in whole frames. The client sees them at once.
   *
   * @returns descriptors accepted, whose chunks are free again, or a {@link MemifLie}
   * @throws RangeError when a frame is empty, leaves its chunk or has no last piece; none is then accepted
   * @hot one acquire load and one release store
   */
  tx(burst: Burst): number {
    const ring = this.#out;
    const tail = this.#outTail;
    const lent = (ring.loadHead() - tail) & 0xffff;
    if (lent > ring.size) return MemifLie.cursor;
    const memory = this.#memory;
    const wanted = Math.min(burst.count, lent);
    memory.check(burst, burst.count);
    const words = ring.words;
    const mask = ring.size - 1;
    const own = memory.view;
    const views = this.#views;
    const lens = this.#lens;
    const addr = burst.addr;
    const len = burst.len;
    const flags = burst.flags;
    let count = 0;
    let bytes = 0;
    for (; count < wanted; count++) {
      const word = ((tail + count) & mask) << 2;
      const what = words[word]!;
      const room = words[word + 1]!;
      const offset = words[word + 2]!;
      const where = what >>> 16;
      const frameLen = len[count]!;
      if ((flags[count]! & FrameFlags.continues) !== 0 || frameLen > room) break;
      if (where >= views.length || offset + room > lens[where]!) {
        if (count === 0) return MemifLie.bounds;
        break;
      }
      copyBytes(own, addr[count]!, views[where]!, offset, frameLen);
      bytes = (bytes + frameLen) | 0;
      words[word] = what & ~0xffff;
      words[word + 1] = frameLen;
    }
    if (count > 0) {
      memory.pool.putFrom(addr, 0, count);
      this.#outTail = (tail + count) & 0xffff;
      ring.storeTail(this.#outTail);
      this.#counters[MemifCounter.txFrames]! += count;
      this.#counters[MemifCounter.txBytes]! += bytes;
    }
    return count < wanted ? this.#txChains(burst, count, lent - count) : count;
  }

  /** Whether nothing waits to be received, after having asked to be woken (or not to be, any more). */
  arm(on: boolean): boolean {
    this.#in.requestInterrupt(on);
    return this.#in.loadHead() === this.#inTail;
  }

  /** Whether the client wants to be woken for what was sent. @hot */
  wantsInterrupt(): boolean {
    return this.#out.wantsInterrupt();
  }

  /** Receives the first frame on the ring, in however many pieces, into as many chunks as it fills. */
  #rxChain(burst: Burst, available: number): number {
    const { words, size } = this.#in;
    const { pool, view, chunkLen } = this.#memory;
    let count = 0;
    let room = 0;
    let tooLong = false;
    for (let i = 0; i < available; i++) {
      const word = ((this.#inTail + i) & (size - 1)) << 2;
      const what = words[word]!;
      const pieceLen = words[word + 1]!;
      const offset = words[word + 2]!;
      const where = what >>> 16;
      if (where >= this.#views.length || offset + pieceLen > this.#lens[where]!) {
        pool.putFrom(burst.addr, 0, count);
        return MemifLie.bounds;
      }
      for (let copied = 0; copied < pieceLen && !tooLong; ) {
        if (room === 0) {
          const chunk = count < burst.capacity ? pool.take() : -1;
          if (chunk < 0 && count < burst.capacity && count < pool.count) {
            pool.putFrom(burst.addr, 0, count);
            return 0;
          }
          tooLong = chunk < 0;
          if (tooLong) break;
          burst.addr[count] = chunk;
          burst.len[count] = 0;
          burst.region[count] = 0;
          burst.flags[count] = FrameFlags.continues;
          count++;
          room = chunkLen;
        }
        const last = count - 1;
        const len = Math.min(room, pieceLen - copied);
        copyBytes(this.#views[where]!, offset + copied, view, burst.addr[last]! + burst.len[last]!, len);
        burst.len[last]! += len;
        copied += len;
        room -= len;
      }
      if ((what & DESC_NEXT) === 0) {
        this.#inTail = (this.#inTail + i + 1) & 0xffff;
        this.#in.storeTail(this.#inTail);
        return this.#chainReceived(burst, count, tooLong);
      }
    }
    // Its end is yet to be written, if there is a slot left to write it to.
    pool.putFrom(burst.addr, 0, count);
    return available === size ? MemifLie.chain : 0;
  }

  #chainReceived(burst: Burst, count: number, tooLong: boolean): number {
    // NB: a frame without a byte counts with those: there is nothing of it to receive.
    if (tooLong || count === 0) {
      this.#memory.pool.putFrom(burst.addr, 0, count);
      this.#counters[MemifCounter.tooLong]! += 1;
      return 0;
    }
    burst.flags[count - 1] = 0;
    burst.count = count;
    burst.clearMetadata(count);
    this.#counters[MemifCounter.rxFrames]! += 1;
    for (let i = 0; i < count; i++) this.#counters[MemifCounter.rxBytes]! += burst.len[i]!;
    return count;
  }

  /** Sends the frames from descriptor `first` on, each over as many lent buffers as it fills. */
  #txChains(burst: Burst, first: number, lent: number): number {
    let done = first;
    let left = lent;
    while (done < burst.count) {
      let end = done + 1;
      while ((burst.flags[end - 1]! & FrameFlags.continues) !== 0) end++;
      const used = this.#fill(burst, done, end, left);
      if (used < 0) return done > 0 ? done : used;
      if (used === 0 && left < this.#out.size) break;
      if (used === 0) this.#counters[MemifCounter.tooLong]! += 1;
      else this.#show(used);
      left -= used;
      this.#memory.pool.putFrom(burst.addr, done, end - done);
      done = end;
    }
    return done;
  }

  /** Copies one frame into lent buffers. @returns how many, 0 when `lent` do not suffice, or a {@link MemifLie} */
  #fill(burst: Burst, first: number, end: number, lent: number): number {
    const { words, size } = this.#out;
    const own = this.#memory.view;
    let used = 0;
    let room = 0;
    let at = 0;
    let where = 0;
    for (let i = first; i < end; i++) {
      for (let copied = 0; copied < burst.len[i]!; ) {
        if (room === 0) {
          if (used === lent) return 0;
          const word = ((this.#outTail + used) & (size - 1)) << 2;
          where = words[word]! >>> 16;
          room = words[word + 1]!;
          at = words[word + 2]!;
          if (where >= this.#views.length || at + room > this.#lens[where]!) return MemifLie.bounds;
          this.#filled[used++] = 0;
          continue;
        }
        const len = Math.min(room, burst.len[i]! - copied);
        copyBytes(own, burst.addr[i]! + copied, this.#views[where]!, at, len);
        this.#filled[used - 1]! += len;
        copied += len;
        room -= len;
        at += len;
      }
    }
    return used;
  }

  /** Shows the client a frame in its next `used` buffers. */
  #show(used: number): void {
    const { words, size } = this.#out;
    for (let i = 0; i < used; i++) {
      const word = ((this.#outTail + i) & (size - 1)) << 2;
      words[word] = (words[word]! & ~0xffff) | (i < used - 1 ? DESC_NEXT : 0);
      words[word + 1] = this.#filled[i]!;
      this.#counters[MemifCounter.txBytes]! += this.#filled[i]!;
    }
    this.#counters[MemifCounter.txFrames]! += 1;
    this.#outTail = (this.#outTail + used) & 0xffff;
    this.#out.storeTail(this.#outTail);
  }
}
