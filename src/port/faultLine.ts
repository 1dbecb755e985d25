import { Burst, copyBytes, copyDescriptor, FrameFlags } from '../core/index.ts';
import { FaultRandom, thresholdOf } from './faultRandom.ts';
import type { FaultSpec } from './faultSpec.ts';
import type { Port } from './port.ts';

/** Most descriptors held, a power of two. */
const CAPACITY = 4096;
/** Most descriptors of frames that wait to be overtaken. */
const ASIDE = 64;
/** A frame is overtaken by at most so many. */
const MAX_OVERTAKING = 4;
/** A frame that nobody overtakes goes on after so long. */
const MAX_ASIDE_NS = 1e6;

/** Indexes of the counters of a {@link FaultLine}. [frames] */
export const FaultCounter = {
  lost: 0,
  duplicated: 1,
  /** meant to come twice, but the port had no chunk for the copy */
  notDuplicated: 2,
  reordered: 3,
  corrupted: 4,
  delayed: 5,
  /** lost: more pieces than the burst that was to take them */
  tooLong: 6,
  /** lost: the port threw an error when it was to send them */
  unsendable: 7,
  /** lost: still held when the port was closed */
  closed: 8,
} as const;

/**
 * One direction of a port that injects faults: decides what becomes of each frame, and holds those that come later.
 *
 * A ring of descriptors in the order in which they leave, each with the time from which it may; beside it frames set aside
 * until others have overtaken them. It owns no memory: what is lost goes back to the port, a copy is in one of its chunks.
 * A frame of several pieces meets its faults as a whole. At any time the ring has room for all that is set aside, as no
 * more is held than the ring has room for.
 */
export class FaultLine {
  readonly counters: Float64Array = new Float64Array(Object.keys(FaultCounter).length);
  readonly #port: Port;
  readonly #now: () => number;
  /** the time of the call at hand; in an array, since a number handed from function to function becomes an object */
  readonly #timeNs = new Float64Array(1);
  readonly #random: FaultRandom;
  readonly #loss: number;
  readonly #duplicate: number;
  readonly #reorder: number;
  readonly #corrupt: number;
  readonly #delayNs: number;
  readonly #ring = new Burst(CAPACITY, { timestamps: true, hashes: true });
  readonly #dueNs = new Float64Array(CAPACITY);
  #head = 0;
  #tail = 0;
  readonly #aside = new Burst(ASIDE, { timestamps: true, hashes: true });
  /** of each frame set aside, at its first piece: how many have still to overtake it, and until when */
  readonly #left = new Int32Array(ASIDE);
  readonly #untilNs = new Float64Array(ASIDE);
  readonly #copy = new Burst(ASIDE, { timestamps: true, hashes: true });
  readonly #gone = new Burst(ASIDE);

  /** @param stream - the directions of a port meet different faults */
  constructor(port: Port, spec: FaultSpec, stream: number, now: () => number) {
    this.#port = port;
    this.#now = now;
    this.#random = new FaultRandom(spec.seed ?? 1, stream);
    this.#loss = thresholdOf(spec.loss ?? 0);
    this.#duplicate = thresholdOf(spec.duplicate ?? 0);
    this.#reorder = thresholdOf(spec.reorder ?? 0);
    this.#corrupt = thresholdOf(spec.corrupt ?? 0);
    this.#delayNs = spec.delayNs ?? 0;
  }

  /** Descriptors that are held. */
  get held(): number {
    return ((this.#head - this.#tail) | 0) + this.#aside.count;
  }

  /** Frames that are held. */
  get heldFrames(): number {
    let frames = 0;
    for (let i = this.#tail; i !== this.#head; i = (i + 1) | 0) {
      if (isLast(this.#ring, i & (CAPACITY - 1))) frames++;
    }
    for (let i = 0; i < this.#aside.count; i++) if (isLast(this.#aside, i)) frames++;
    return frames;
  }

  /** Whether frames of `pieces` descriptors in all can be admitted, even if each comes twice. @hot */
  hasRoom(pieces: number): boolean {
    return CAPACITY - this.held >= 2 * pieces;
  }

  /** Decides what becomes of the whole frames of `burst`, as long as there is room. @returns descriptors taken @hot */
  admit(burst: Burst): number {
    this.#timeNs[0] = this.#now();
    let first = 0;
    while (first < burst.count) {
      const end = endOfFrame(burst, first);
      if (end > burst.count || !this.hasRoom(end - first)) break;
      this.#admitFrame(burst, first, end);
      first = end;
    }
    this.#recycleGone();
    return first;
  }

  /**
   * Appends to `burst` the whole frames whose time has come, without letting go of them: {@link FaultLine.release} does.
   *
   * @returns descriptors appended
   * @hot
   */
  copyDue(burst: Burst): number {
    if (this.held === 0) return 0;
    this.#timeNs[0] = this.#now();
    if (this.#aside.count > 0) this.#overtake(0);
    const before = burst.count;
    while (this.#tail !== this.#head && this.#pieces(this.#tail) > burst.capacity) {
      this.discard(FaultCounter.tooLong);
    }
    let at = this.#tail;
    while (at !== this.#head && this.#dueNs[at & (CAPACITY - 1)]! <= this.#timeNs[0]!) {
      const pieces = this.#pieces(at);
      if (burst.count + pieces > burst.capacity) break;
      for (let i = 0; i < pieces; i++) {
        copyDescriptor(this.#ring, (at + i) & (CAPACITY - 1), burst, burst.count + i);
      }
      burst.count += pieces;
      at = (at + pieces) | 0;
    }
    return burst.count - before;
  }

  /** Lets go of the first `count` descriptors. @hot */
  release(count: number): void {
    this.#tail = (this.#tail + count) | 0;
  }

  /** Gives the chunks of the first frame back to the port. @param counter - under which it is lost */
  discard(counter: number): void {
    const pieces = this.#pieces(this.#tail);
    for (let i = 0; i < pieces; i++) this.#discardPiece(this.#ring, (this.#tail + i) & (CAPACITY - 1));
    this.release(pieces);
    this.#recycleGone();
    this.counters[counter]! += 1;
  }

  /** Gives all that is held back to the port. */
  close(): void {
    this.#overtake(MAX_OVERTAKING);
    while (this.#tail !== this.#head) this.discard(FaultCounter.closed);
  }

  #admitFrame(burst: Burst, first: number, end: number): void {
    // Every frame takes as many numbers, so that one kind of fault does not move the others.
    const isLost = this.#random.next() < this.#loss;
    const isTwice = this.#random.next() < this.#duplicate;
    const isLate = this.#random.next() < this.#reorder;
    const isDamaged = this.#random.next() < this.#corrupt;
    if (isLost) {
      for (let i = first; i < end; i++) this.#discardPiece(burst, i);
      this.counters[FaultCounter.lost]! += 1;
      return;
    }
    if (this.#delayNs > 0) this.counters[FaultCounter.delayed]! += 1;
    if (isDamaged) this.#flipBit(burst, first, end);
    const copied = isTwice ? this.#copyFrame(burst, first, end) : 0;
    if (isLate && this.#aside.count + end - first <= ASIDE) this.#setAside(burst, first, end);
    else {
      this.#put(burst, first, end);
      this.#overtake(1);
    }
    if (copied > 0) {
      this.#put(this.#copy, 0, copied);
      this.#copy.count = 0;
    }
  }

  /** Appends a frame to those that are on their way. */
  #put(from: Burst, first: number, end: number): void {
    for (let i = first; i < end; i++) {
      const slot = this.#head & (CAPACITY - 1);
      copyDescriptor(from, i, this.#ring, slot);
      this.#dueNs[slot] = this.#timeNs[0]! + this.#delayNs;
      this.#head = (this.#head + 1) | 0;
    }
  }

  #setAside(burst: Burst, first: number, end: number): void {
    const aside = this.#aside;
    this.#left[aside.count] = 1 + this.#random.below(MAX_OVERTAKING);
    this.#untilNs[aside.count] = this.#timeNs[0]! + MAX_ASIDE_NS;
    for (let i = first; i < end; i++) {
      copyDescriptor(burst, i, aside, aside.count);
      aside.count++;
    }
    this.counters[FaultCounter.reordered]! += 1;
  }

  /** Notes that `frames` have passed those set aside; who has waited long enough goes on. */
  #overtake(frames: number): void {
    const aside = this.#aside;
    let kept = 0;
    for (let first = 0; first < aside.count; ) {
      const end = endOfFrame(aside, first);
      const left = this.#left[first]! - frames;
      if (left <= 0 || this.#untilNs[first]! <= this.#timeNs[0]!) this.#put(aside, first, end);
      else {
        this.#left[kept] = left;
        this.#untilNs[kept] = this.#untilNs[first]!;
        for (let i = first; i < end; i++) copyDescriptor(aside, i, aside, kept++);
      }
      first = end;
    }
    aside.count = kept;
  }

  /** Copies a frame into chunks of the port. @returns its pieces, or 0 when there are no chunks for it */
  #copyFrame(burst: Burst, first: number, end: number): number {
    const copy = this.#copy;
    const { regions, maxPieceLen } = this.#port;
    const pieces = end - first;
    let fits = pieces <= ASIDE;
    for (let i = first; i < end; i++) fits = fits && burst.len[i]! <= maxPieceLen;
    if (!fits || this.#port.alloc(copy, pieces) < pieces) {
      this.#port.recycle(copy);
      this.counters[FaultCounter.notDuplicated]! += 1;
      return 0;
    }
    for (let i = 0; i < pieces; i++) {
      const addr = copy.addr[i]!;
      const region = copy.region[i]!;
      const from = regions[burst.region[first + i]!]!;
      copyBytes(from.view, burst.addr[first + i]!, regions[region]!.view, addr, burst.len[first + i]!);
      copyDescriptor(burst, first + i, copy, i);
      copy.addr[i] = addr;
      copy.region[i] = region;
      // What stands before the first byte was not copied.
      copy.flags[i]! &= ~FrameFlags.txMetadata;
    }
    this.counters[FaultCounter.duplicated]! += 1;
    return pieces;
  }

  #flipBit(burst: Burst, first: number, end: number): void {
    let len = 0;
    for (let i = first; i < end; i++) len += burst.len[i]!;
    if (len === 0) return;
    let at = this.#random.below(len);
    let piece = first;
    while (at >= burst.len[piece]!) at -= burst.len[piece++]!;
    this.#port.regions[burst.region[piece]!]!.bytes[burst.addr[piece]! + at]! ^= 1 << this.#random.below(8);
    // Whoever verified the frame saw it whole.
    for (let i = first; i < end; i++) burst.flags[i]! &= ~FrameFlags.checksumVerified;
    this.counters[FaultCounter.corrupted]! += 1;
  }

  #pieces(at: number): number {
    let pieces = 1;
    while (!isLast(this.#ring, (at + pieces - 1) & (CAPACITY - 1))) pieces++;
    return pieces;
  }

  #discardPiece(from: Burst, i: number): void {
    if (this.#gone.count === this.#gone.capacity) this.#recycleGone();
    copyDescriptor(from, i, this.#gone, this.#gone.count);
    this.#gone.count++;
  }

  #recycleGone(): void {
    if (this.#gone.count > 0) this.#port.recycle(this.#gone);
  }
}

function isLast(burst: Burst, i: number): boolean {
  return (burst.flags[i]! & FrameFlags.continues) === 0;
}

/** Where the frame at `first` ends: beyond the burst for one whose last piece is missing. */
function endOfFrame(burst: Burst, first: number): number {
  let end = first + 1;
  while (end <= burst.count && !isLast(burst, end - 1)) end++;
  return end;
}
