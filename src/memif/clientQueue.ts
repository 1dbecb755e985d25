import { type Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { MemifCounter } from './counters.ts';
import { MemifLie } from './lies.ts';
import { type PacketMemory, throwBadFrame } from './packetMemory.ts';
import { DESC_NEXT, type MemifRing } from './ring.ts';

/** The region of a client's packet memory; its rings are in region 0. */
export const PACKET_REGION = 1;

/** Lent chunks are shown by eighths of the ring. */
const SHOW_SHIFT = 3;

const DESC_REGION = PACKET_REGION << 16;

/**
 * The client's end of a pair of rings: the memory is ours, so frames are sent and received in place.
 *
 * Towards the server we write descriptors of our chunks and get them back when it moves the tail. Towards us we lend
 * chunks, and the server fills them in order. Which chunk lies on a slot is kept here: the peer, who can write the
 * descriptors too, is not asked.
 *
 * Hot functions return a {@link MemifLie} when the peer has said what cannot be; the queue is then to be released.
 */
export class ClientQueue {
  readonly #memory: PacketMemory;
  readonly #out: MemifRing;
  readonly #in: MemifRing;
  readonly #counters: Float64Array;
  /** by slot, the frames that the server has not taken yet, and the chunks that it may fill */
  readonly #sent: Uint32Array;
  readonly #lent: Uint32Array;
  #outHead = 0;
  #outTail = 0;
  /** chunks lent, and how many of them the server has been shown */
  #inHead = 0;
  #inShown = 0;
  #inNext = 0;

  /** Takes up fresh rings, and lends nothing yet. @param counters - indexes are {@link MemifCounter} */
  constructor(toServer: MemifRing, toClient: MemifRing, memory: PacketMemory, counters: Float64Array) {
    this.#memory = memory;
    this.#counters = counters;
    this.#out = toServer;
    this.#in = toClient;
    this.#sent = new Uint32Array(toServer.size);
    this.#lent = new Uint32Array(toClient.size);
    toClient.requestInterrupt(false);
  }

  /**
   * Receives up to `burst.capacity` frames that the server has written into our chunks. Sets `burst.count`.
   *
   * @returns descriptors, or a {@link MemifLie}
   * @hot one acquire load
   */
  rx(burst: Burst): number {
    burst.count = 0;
    const ring = this.#in;
    const next = this.#inNext;
    const available = (ring.loadTail() - next) & 0xffff;
    if (available === 0) return 0;
    if (available > ((this.#inShown - next) & 0xffff)) return MemifLie.cursor;
    let count = Math.min(available, burst.capacity);
    const words = ring.words;
    const lent = this.#lent;
    const mask = ring.size - 1;
    const room = this.#memory.chunkLen;
    const addr = burst.addr;
    const len = burst.len;
    const region = burst.region;
    const flags = burst.flags;
    let wrong = 0;
    let pieces = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const slot = (next + i) & mask;
      const word = slot << 2;
      const continues = words[word]! & DESC_NEXT;
      const frameLen = words[word + 1]! | 0;
      addr[i] = lent[slot]!;
      len[i] = frameLen;
      region[i] = 0;
      flags[i] = continues;
      // NB: one of no length could not be sent on.
      wrong |= (frameLen - 1) | (room - frameLen);
      pieces |= continues;
      bytes = (bytes + frameLen) | 0;
    }
    if (wrong < 0) return MemifLie.bounds;
    let continuing = 0;
    if (pieces !== 0) {
      const read = count;
      count = wholeFrames(burst, count);
      for (let i = count; i < read; i++) bytes -= len[i]!;
      for (let i = 0; i < count; i++) continuing += flags[i]!;
      if (count === 0) return this.#skipChain(available, burst.capacity);
    }
    this.#memory.move(addr, 0, count, ChunkOwner.fill, ChunkOwner.application);
    this.#inNext = (next + count) & 0xffff;
    burst.count = count;
    burst.clearMetadata(count);
    const counters = this.#counters;
    counters[MemifCounter.rxFrames]! += count - continuing;
    counters[MemifCounter.rxBytes]! += bytes;
    return count;
  }

  /**
   * Puts frames on the ring to the server: a prefix, in whole frames. The server sees them at once.
   *
   * @returns descriptors accepted, or a {@link MemifLie}
   * @throws RangeError when a frame is empty, leaves its chunk or has no last piece; none is then accepted
   * @hot one release store, and an acquire load when the ring looks full
   */
  tx(burst: Burst): number {
    const wanted = burst.count;
    const ring = this.#out;
    let room = ring.size - ((this.#outHead - this.#outTail) & 0xffff);
    if (room < wanted) {
      const reaped = this.reap();
      if (reaped < 0) return reaped;
      room += reaped;
    }
    const memory = this.#memory;
    const chunkLen = memory.chunkLen;
    const inChunkMask = chunkLen - 1;
    const lastAddr = memory.len - 1;
    const words = ring.words;
    const sent = this.#sent;
    const mask = ring.size - 1;
    const head = this.#outHead;
    const addr = burst.addr;
    const len = burst.len;
    const flags = burst.flags;
    let count = Math.min(wanted, room);
    if (count < wanted) while (count > 0 && (flags[count - 1]! & FrameFlags.continues) !== 0) count--;
    if (count === 0) return 0;
    let wrong = 0;
    let bytes = 0;
    let continuing = 0;
    for (let i = 0; i < count; i++) {
      const frameAddr = addr[i]! | 0;
      const frameLen = len[i]! | 0;
      const slot = (head + i) & mask;
      const word = slot << 2;
      wrong |=
        (chunkLen - (frameAddr & inChunkMask) - frameLen) |
        (frameLen - 1) |
        frameAddr |
        (lastAddr - frameAddr);
      const continues = flags[i]! & FrameFlags.continues;
      continuing += continues;
      bytes = (bytes + frameLen) | 0;
      sent[slot] = frameAddr;
      words[word] = DESC_REGION | continues;
      words[word + 1] = frameLen;
      words[word + 2] = frameAddr;
    }
    if (wrong < 0 || (flags[count - 1]! & FrameFlags.continues) !== 0) throwBadFrame();
    memory.move(addr, 0, count, ChunkOwner.application, ChunkOwner.tx);
    this.#outHead = (head + count) & 0xffff;
    ring.storeHead(this.#outHead);
    const counters = this.#counters;
    counters[MemifCounter.txFrames]! += count - continuing;
    counters[MemifCounter.txBytes]! += bytes;
    return count;
  }

  /**
   * Takes back the chunks of frames that the server has taken.
   *
   * @returns chunks, or a {@link MemifLie}
   * @hot one acquire load
   */
  reap(): number {
    const ring = this.#out;
    const tail = this.#outTail;
    const count = (ring.loadTail() - tail) & 0xffff;
    if (count > ((this.#outHead - tail) & 0xffff)) return MemifLie.cursor;
    this.#outTail = (tail + count) & 0xffff;
    putSlots(this.#memory, this.#sent, tail & (ring.size - 1), count, ChunkOwner.tx);
    return count;
  }

  /**
   * Lends chunks `first` to `first + count - 1` of `addrs` to the server, as far as the ring has room.
   *
   * The server is shown them an eighth of the ring at a time: it reads the cursor for every frame that it sends, and each
   * store of ours takes the line away from it.
   *
   * @returns chunks lent; the others are still the caller's
   * @hot at most one release store
   */
  lend(addrs: Uint32Array, first: number, count: number): number {
    const ring = this.#in;
    const head = this.#inHead;
    const lending = Math.min(count, ring.size - ((head - this.#inNext) & 0xffff));
    if (lending === 0) return 0;
    const memory = this.#memory;
    const words = ring.words;
    const lent = this.#lent;
    const mask = ring.size - 1;
    const chunkMask = memory.pool.chunkMask;
    const room = memory.chunkLen;
    for (let i = 0; i < lending; i++) {
      const slot = (head + i) & mask;
      const chunk = addrs[first + i]! & chunkMask;
      const word = slot << 2;
      lent[slot] = chunk;
      words[word] = DESC_REGION;
      words[word + 1] = room;
      words[word + 2] = chunk;
    }
    memory.move(addrs, first, lending, ChunkOwner.application, ChunkOwner.fill);
    this.#inHead = (head + lending) & 0xffff;
    if (((this.#inHead - this.#inShown) & 0xffff) >= ring.size >>> SHOW_SHIFT) this.show();
    return lending;
  }

  /** Shows the server every chunk that is lent: a long frame may need all of them. @hot one release store */
  show(): void {
    this.#inShown = this.#inHead;
    this.#in.storeHead(this.#inShown);
  }

  /** Chunks that the server may have at a time. */
  get size(): number {
    return this.#in.size;
  }

  /** Chunks that the server lacks to have as many as the ring holds. @hot */
  get lacking(): number {
    return this.#in.size - ((this.#inHead - this.#inNext) & 0xffff);
  }

  /** Whether nothing waits to be received, after having asked to be woken (or not to be, any more). */
  arm(on: boolean): boolean {
    this.#in.requestInterrupt(on);
    return this.#in.loadTail() === this.#inNext;
  }

  /** Whether the server wants to be woken for what was sent. @hot */
  wantsInterrupt(): boolean {
    return this.#out.wantsInterrupt();
  }

  /**
   * Takes all chunks back, at the end of a connection.
   */
  release(): void {
    // A cursor that lies does so once more: then nothing counts as taken.
    this.reap();
    const out = this.#out;
    const unsent = (this.#outHead - this.#outTail) & 0xffff;
    let frames = 0;
    for (let i = 0; i < unsent; i++) {
      frames += ~out.words[((this.#outTail + i) & (out.size - 1)) << 2]! & DESC_NEXT;
    }
    putSlots(this.#memory, this.#sent, this.#outTail & (out.size - 1), unsent, ChunkOwner.tx);
    const lent = (this.#inHead - this.#inNext) & 0xffff;
    putSlots(this.#memory, this.#lent, this.#inNext & (this.#in.size - 1), lent, ChunkOwner.fill);
    this.#outTail = this.#outHead;
    this.#inNext = this.#inHead;
    this.#inShown = this.#inHead;
    this.#counters[MemifCounter.unsent]! += frames;
  }

  /**
   * Drops a frame that no burst of this capacity holds; one whose end the server has yet to write is left to it.
   *
   * @returns 0, or {@link MemifLie.chain} when there cannot be an end
   */
  #skipChain(available: number, capacity: number): number {
    const { words, size } = this.#in;
    let count = 1;
    while (count <= available && (words[((this.#inNext + count - 1) & (size - 1)) << 2]! & DESC_NEXT) !== 0) {
      count++;
    }
    if (count > available) return available === size ? MemifLie.chain : 0;
    if (count <= capacity) return 0;
    putSlots(this.#memory, this.#lent, this.#inNext & (size - 1), count, ChunkOwner.fill);
    this.#inNext = (this.#inNext + count) & 0xffff;
    this.#counters[MemifCounter.tooLong]! += 1;
    return 0;
  }
}

/** How many of the first `count` descriptors make up whole frames. */
function wholeFrames(burst: Burst, count: number): number {
  let whole = count;
  while (whole > 0 && (burst.flags[whole - 1]! & FrameFlags.continues) !== 0) whole--;
  return whole;
}

/** Puts the chunks of `count` slots from `slot` on back into the pool, around the ring's end too. */
function putSlots(
  memory: PacketMemory,
  slots: Uint32Array,
  slot: number,
  count: number,
  from: ChunkOwner,
): void {
  const first = Math.min(count, slots.length - slot);
  memory.move(slots, slot, first, from, ChunkOwner.application);
  memory.move(slots, 0, count - first, from, ChunkOwner.application);
  memory.pool.putFrom(slots, slot, first);
  memory.pool.putFrom(slots, 0, count - first);
}
