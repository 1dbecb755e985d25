import { type Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from '../sys/uapi/index.ts';
import { checkFrames, ETH_HEADER_LEN, wholeFrames } from './frameChecks.ts';
import type { ConsumerRing, FillRing, ProducerRing, RingSet } from './ring.ts';
import { type RxClock, RxMetadata, stampByLane } from './rxMetadata.ts';
import { XDP_COUNTERS, XdpCounter } from './statistics.ts';
import { checkTxMetadata, finishChecksums } from './txMetadata.ts';
import type { Umem } from './umem.ts';

/** What a descriptor to send tells the kernel; the first is the same bit as XDP_PKT_CONTD. */
const TX_OPTIONS = FrameFlags.continues | FrameFlags.txMetadata;

/** How {@link FrameRings} uses its rings. */
export interface FrameRingsOptions {
  /** index of the umem among the regions of the port; stands in every descriptor; default 0 */
  readonly region?: number;
  /** the program writes metadata before every frame: read it, with the time by this clock; default not */
  readonly metadata?: RxClock;
  /** leave sent frames on the completion ring for {@link FrameRings.completed}; default false */
  readonly keepCompletions?: boolean;
  /** compute the checksums that {@link TxMetadata} asks for in tx(); default false: the kernel or the NIC does */
  readonly softwareChecksums?: boolean;
  /** who holds a chunk, in the owner table of a shared umem: 1 to 255; default 0, none */
  readonly holder?: number;
}

/**
 * Frames in and out of a umem through four rings: the part of a socket that makes no system call.
 *
 * Works on any memory that has the rings' layout, the kernel's or plain memory. One thread drives it.
 *
 * measured: `barewire bench rings`, the nanoseconds that this adds to a packet.
 *
 * @source linux/if_xdp.h; Documentation/networking/af_xdp.rst
 */
export class FrameRings {
  readonly umem: Umem;
  /** our counters; indexes are {@link XdpCounter} */
  readonly counters: Float64Array = new Float64Array(XDP_COUNTERS);
  protected readonly rxRing: ConsumerRing;
  protected readonly txRing: ProducerRing;
  protected readonly fillRing: FillRing;
  protected readonly completionRing: ConsumerRing;
  /** frames put on the tx ring since the kernel was last seen to have taken all */
  protected unsent: number = 0;
  readonly #region: number;
  readonly #metadata: RxMetadata | null;
  readonly #keepCompletions: boolean;
  readonly #softwareChecksums: boolean;
  /** what a descriptor with metadata says to the kernel; 0 when that knows of none */
  readonly #metadataOption: number;
  readonly #holder: number;
  /** addrs off the completion ring, on their way to the pool */
  readonly #addrs: Uint32Array;
  /** all flags that frames to send ever had */
  #txOptions = 0;

  /** Lends nothing yet: {@link FrameRings.refill} does. */
  constructor(rings: RingSet, umem: Umem, options: FrameRingsOptions = {}) {
    this.umem = umem;
    this.rxRing = rings.rx;
    this.txRing = rings.tx;
    this.fillRing = rings.fill;
    this.completionRing = rings.completion;
    this.#region = options.region ?? 0;
    this.#metadata = options.metadata === undefined ? null : new RxMetadata(umem.view, options.metadata);
    this.#keepCompletions = options.keepCompletions ?? false;
    this.#softwareChecksums = options.softwareChecksums ?? false;
    this.#metadataOption = umem.txMetadata === 'kernel' ? XDP_TX_METADATA : 0;
    this.#holder = options.holder ?? 0;
    this.#addrs = new Uint32Array(rings.completion.size);
  }

  /**
   * Takes up to `burst.capacity` received descriptors off the rx ring into `burst`, whose old contents are forgotten.
   *
   * Each chunk is then the application's: recycle or send it. A frame over several chunks is never split between
   * bursts. Never blocks.
   *
   * @returns `burst.count` [descriptors]
   * @throws RangeError when one frame has more pieces than the burst has room
   * @hot one acquire load and one release store per burst
   */
  rx(burst: Burst): number {
    const cursor = this.rxRing.cursor;
    let count = cursor.peek(burst.capacity);
    burst.count = count;
    if (count === 0) return 0;
    const words = this.rxRing.words;
    const addr = burst.addr;
    const len = burst.len;
    const region = burst.region;
    const flags = burst.flags;
    const ownRegion = this.#region;
    const start = cursor.slot(0);
    const mask = this.rxRing.size - 1;
    let bytes = 0;
    let pieces = 0;
    for (let i = 0; i < count; i++) {
      const word = ((start + i) & mask) << 2;
      const frameLen = words[word + 2]! | 0;
      addr[i] = words[word]!;
      len[i] = frameLen;
      region[i] = ownRegion;
      const continues = words[word + 3]! & XDP_PKT_CONTD;
      flags[i] = continues;
      pieces |= continues;
      bytes = (bytes + frameLen) | 0;
    }
    // Bits 48-63 say how far behind the start of its chunk the frame begins.
    if (this.umem.unaligned) {
      for (let i = 0; i < count; i++) addr[i] = addrAt(words, ((start + i) & mask) << 2);
    }
    let continuing = 0;
    if (pieces !== 0) {
      count = wholeFrames(burst);
      for (let i = count; i < burst.count; i++) bytes -= len[i]!;
      for (let i = 0; i < count; i++) continuing += flags[i]!;
      burst.count = count;
      if (count === 0) return 0;
    }
    cursor.release(count);
    this.fillRing.lent -= count;
    if (this.umem.tracked) {
      for (let i = 0; i < count; i++) this.umem.lend(addr[i]!, ChunkOwner.fill, ChunkOwner.application, 0);
    }
    if (this.#metadata !== null) this.#metadata.read(burst);
    else stampByLane(burst);
    const counters = this.counters;
    counters[XdpCounter.rxFrames]! += count - continuing;
    counters[XdpCounter.rxBytes]! += bytes;
    counters[XdpCounter.rxBursts]! += 1;
    return count;
  }

  /**
   * Gives the chunks of `burst` back: to the fill ring while it has room, else to the pool. Empties the burst.
   *
   * @hot one release store per burst
   */
  recycle(burst: Burst): void {
    this.recycleRange(burst, 0, burst.count);
    burst.count = 0;
  }

  /**
   * Gives back the chunks of descriptors `first` to `first + count - 1`; the burst stays as it is.
   *
   * @hot one release store
   */
  recycleRange(burst: Burst, first: number, count: number): void {
    const addr = burst.addr;
    const umem = this.umem;
    const pool = umem.pool;
    const fill = this.fillRing;
    const cursor = fill.cursor;
    const words = fill.words;
    // No more than this ring's share: the rest is for senders.
    const share = umem.shared ? fill.size : Math.min(fill.size, umem.chunkCount - umem.txReserve);
    const room = cursor.reserve(Math.max(0, Math.min(count, share - fill.lent)));
    const start = cursor.slot(0);
    const mask = fill.size - 1;
    const chunkMask = pool.chunkMask;
    if (umem.tracked) this.#lend(burst, first, room, ChunkOwner.fill);
    // NB: the start of the chunk, and an upper word that stays 0: in unaligned mode the kernel masks nothing.
    if (chunkMask !== 0) {
      for (let i = 0; i < room; i++) words[((start + i) & mask) << 1] = addr[first + i]! & chunkMask;
    } else {
      for (let i = 0; i < room; i++) words[((start + i) & mask) << 1] = pool.chunkOf(addr[first + i]!);
    }
    cursor.submit(room);
    fill.lent += room;
    if (room < count) umem.putFrom(addr, first + room, count - room);
    else if (pool.free > umem.txReserve) this.refill();
  }

  /**
   * Moves free chunks from the pool to the fill ring, but for those kept for sending.
   *
   * @returns chunks moved
   * @hot
   */
  refill(): number {
    const umem = this.umem;
    const pool = umem.pool;
    const fill = this.fillRing;
    const wanted = Math.min(pool.free - umem.txReserve, fill.size - fill.lent);
    if (wanted <= 0) return 0;
    const cursor = fill.cursor;
    const words = fill.words;
    const count = cursor.reserve(wanted);
    for (let i = 0; i < count; i++) {
      const chunk = pool.take();
      words[cursor.slot(i) << 1] = chunk;
      if (umem.tracked) umem.lend(chunk, ChunkOwner.application, ChunkOwner.fill, this.#holder);
    }
    if (count > 0) cursor.submit(count);
    fill.lent += count;
    return count;
  }

  /**
   * Takes up to `count` free chunks for frames of our own; `burst.addr` is where each frame starts.
   *
   * The caller writes the frame and its `len`. Reaps completions first when the pool is short.
   *
   * @returns frames allocated, appended behind `burst.count` [descriptors]
   * @hot
   */
  alloc(burst: Burst, count: number): number {
    const umem = this.umem;
    const pool = umem.pool;
    if (pool.free < count) this.reap();
    const first = burst.count;
    const taken = pool.takeInto(burst.addr, first, Math.min(count, burst.capacity - first));
    const headroom = umem.txHeadroom;
    for (let i = first; i < first + taken; i++) {
      const addr = burst.addr[i]! + headroom;
      // Even, so that a completion says the same addr; see checkFrames().
      burst.addr[i] = addr + (addr & 1);
      burst.len[i] = 0;
      burst.region[i] = this.#region;
      burst.flags[i] = 0;
    }
    burst.count = first + taken;
    return taken;
  }

  /**
   * Puts the frames of `burst` on the tx ring and returns how many descriptors it accepted: a prefix, in whole frames;
   * the caller keeps the rest.
   *
   * Nothing is sent before a flush, or, in copy mode, a poll(2) on the socket.
   *
   * @throws RangeError when a frame leaves its chunk, is shorter than an Ethernet header, or has no last piece; none of
   *   the burst is then accepted
   * @hot one release store per burst
   */
  tx(burst: Burst): number {
    return this.txRange(burst, 0, burst.count);
  }

  /**
   * Puts descriptors `first` to `first + wanted - 1` on the tx ring, as {@link FrameRings.tx} does with all.
   *
   * @hot one release store
   */
  txRange(burst: Burst, first: number, wanted: number): number {
    const cursor = this.txRing.cursor;
    const words = this.txRing.words;
    const addr = burst.addr;
    const len = burst.len;
    const flags = burst.flags;
    const umem = this.umem;
    const chunkLen = umem.chunkLen;
    // Of chunks that are no power of two long nothing can be masked; each of their frames is looked at by itself.
    const chunkMask = umem.pool.chunkMask;
    const before = umem.txMetadataLen;
    const lastAddr = umem.len - 1;
    const start = cursor.slot(0);
    const mask = this.txRing.size - 1;
    let count = cursor.reserve(wanted);
    if (count < wanted) while (count > 0 && (flags[first + count - 1]! & XDP_PKT_CONTD) !== 0) count--;
    let bytes = 0;
    // The sign bits of all that must not be negative, and all flags: looked at once, behind the loop.
    let wrong = 0;
    let options = 0;
    for (let i = 0; i < count; i++) {
      const at = (first + i) | 0;
      const word = ((start + i) & mask) << 2;
      const frameAddr = addr[at]! | 0;
      const frameLen = len[at]! | 0;
      const inChunk = frameAddr & ~chunkMask;
      wrong |=
        (chunkLen - inChunk - frameLen) |
        (frameLen - ETH_HEADER_LEN) |
        (inChunk - before) |
        frameAddr |
        (lastAddr - frameAddr);
      options |= flags[at]!;
      words[word] = frameAddr;
      words[word + 2] = frameLen;
      bytes = (bytes + frameLen) | 0;
    }
    this.#txOptions |= options;
    // NB: the kernel drops an invalid descriptor without completing it, and the chunk would be lost.
    const suspect = wrong < 0 || chunkMask === 0 || (options & XDP_PKT_CONTD) !== 0;
    const continuing = suspect ? checkFrames(umem, burst, first, count) : 0;
    if ((options & FrameFlags.txMetadata) !== 0) checkTxMetadata(umem, burst, first, count);
    // Slots whose options nobody has ever set are 0.
    if ((this.#txOptions & TX_OPTIONS) !== 0) this.#writeOptions(flags, first, count);
    if (umem.tracked) this.#lend(burst, first, count, ChunkOwner.tx);
    if (this.#softwareChecksums && (options & FrameFlags.txMetadata) !== 0)
      finishChecksums(umem, burst, first, count);
    cursor.submit(count);
    this.unsent += count;
    const counters = this.counters;
    counters[XdpCounter.txFrames]! += count - continuing;
    counters[XdpCounter.txBytes]! += bytes;
    counters[XdpCounter.txRefused]! += wanted - count;
    return count;
  }

  /**
   * Takes the chunks of sent frames off the completion ring, back to the pool, and refills the fill ring from there.
   *
   * Does nothing when completions are kept for {@link FrameRings.completed}.
   *
   * @returns chunks taken
   * @hot
   */
  reap(): number {
    if (this.#keepCompletions) return 0;
    const ring = this.completionRing;
    const cursor = ring.cursor;
    const count = cursor.peek(ring.size);
    if (count === 0) return 0;
    const words = ring.words;
    const umem = this.umem;
    const pool = umem.pool;
    const fill = this.fillRing;
    const fillCursor = fill.cursor;
    const fillWords = fill.words;
    // Straight to the fill ring, as far as it lacks chunks and the pool has what senders need.
    const lacking = pool.free < umem.txReserve ? 0 : Math.min(count, Math.max(0, fill.size - fill.lent));
    const refilled = fillCursor.reserve(lacking);
    const start = cursor.slot(0);
    const mask = ring.size - 1;
    const fillStart = fillCursor.slot(0);
    const fillMask = fill.size - 1;
    const chunkMask = pool.chunkMask;
    if (umem.tracked) this.#trackReaped(count, refilled);
    if (chunkMask !== 0) {
      for (let i = 0; i < refilled; i++) {
        fillWords[((fillStart + i) & fillMask) << 1] = words[((start + i) & mask) << 1]! & chunkMask;
      }
    } else {
      for (let i = 0; i < refilled; i++) {
        fillWords[((fillStart + i) & fillMask) << 1] = pool.chunkOf(addrAt(words, ((start + i) & mask) << 1));
      }
    }
    const spare = count - refilled;
    const addrs = this.#addrs;
    for (let i = 0; i < spare; i++) addrs[i] = addrAt(words, ((start + refilled + i) & mask) << 1);
    pool.putFrom(addrs, 0, spare);
    cursor.release(count);
    if (refilled > 0) fillCursor.submit(refilled);
    fill.lent += refilled;
    this.counters[XdpCounter.txCompleted]! += count;
    if (pool.free > umem.txReserve) this.refill();
    return count;
  }

  /**
   * Takes sent frames off the completion ring into `burst`, whose old contents are forgotten; their chunks are the
   * application's again, contents and transmit metadata as the kernel left them.
   *
   * For sockets that keep their completions: to read transmit timestamps, or to send the same frame once more.
   *
   * @returns `burst.count` [descriptors]; their `len` is 0
   * @hot
   */
  completed(burst: Burst): number {
    const ring = this.completionRing;
    const cursor = ring.cursor;
    const count = cursor.peek(burst.capacity);
    const words = ring.words;
    const umem = this.umem;
    for (let i = 0; i < count; i++) {
      const word = cursor.slot(i) << 1;
      const addr = addrAt(words, word);
      burst.addr[i] = addr;
      burst.len[i] = 0;
      burst.region[i] = this.#region;
      burst.flags[i] = 0;
      if (umem.tracked) umem.lend(addr, ChunkOwner.tx, ChunkOwner.application, 0);
    }
    if (count > 0) cursor.release(count);
    burst.count = count;
    this.counters[XdpCounter.txCompleted]! += count;
    return count;
  }

  #writeOptions(flags: Uint8Array, first: number, count: number): void {
    const { cursor, words } = this.txRing;
    for (let i = 0; i < count; i++) {
      const flag = flags[first + i]!;
      words[(cursor.slot(i) << 2) + 3] =
        (flag & XDP_PKT_CONTD) | ((flag & FrameFlags.txMetadata) === 0 ? 0 : this.#metadataOption);
    }
  }

  #trackReaped(count: number, refilled: number): void {
    const { cursor, words } = this.completionRing;
    for (let i = 0; i < count; i++) {
      const addr = addrAt(words, cursor.slot(i) << 1);
      if (i < refilled) this.umem.lend(addr, ChunkOwner.tx, ChunkOwner.fill, this.#holder);
      else this.umem.lend(addr, ChunkOwner.tx, ChunkOwner.completion, 0);
    }
  }

  #lend(burst: Burst, first: number, count: number, to: ChunkOwner): void {
    const umem = this.umem;
    for (let i = first; i < first + count; i++) {
      umem.lend(burst.addr[i]!, ChunkOwner.application, to, this.#holder);
    }
  }
}

/** The addr at `word`: bits 48-63 of an unaligned one are added to the others. */
function addrAt(words: Uint32Array, word: number): number {
  return ((words[word]! | 0) + (words[word + 1]! >>> 16)) | 0;
}
