import { Burst, copyDescriptor } from '../core/index.ts';
import { sendOrDrop } from '../lane/index.ts';
import type { Port } from '../port/index.ts';
import { FrameCopy } from './frameCopy.ts';

/** What an {@link Outlet} counts, by the names under which a reading shows it; `sent` comes first. */
export const outletCounters = [
  'sent',
  'notConnected',
  'full',
  'noChunk',
  'badLength',
  'unfinishedChecksum',
  'notAllowed',
  'lost',
] as const;

const SENT = 0;
const NOT_CONNECTED = 1;
const FULL = 2;
const NO_CHUNK = 3;
const BAD_LENGTH = 4;
const UNFINISHED_CHECKSUM = 5;
const NOT_ALLOWED = 6;
const LOST = 7;

/**
 * The way out to one port: takes copies of frames, and sends them a burst at a time.
 *
 * Every frame that it is given is sent or counted under a reason, and nothing of it is kept after {@link Outlet.send}:
 * a port that takes nothing costs the frames that were meant for it.
 */
export class Outlet {
  /** what stands ready to be sent */
  readonly burst: Burst;
  /** at the indexes of {@link outletCounters} [frames] */
  readonly counters: Float64Array = new Float64Array(outletCounters.length);
  readonly #port: Port;
  readonly #copy: FrameCopy;
  readonly #returned: Burst;
  #frames = 0;
  #lastPieces = 0;

  /** @param burst - most descriptors to send at once @throws RangeError when it is none */
  constructor(port: Port, burst: number) {
    this.#port = port;
    this.#copy = new FrameCopy(port);
    this.burst = new Burst(burst);
    this.#returned = new Burst(burst);
  }

  /** Descriptors, at the end of the burst, of the frame that was taken last. */
  get lastPieces(): number {
    return this.#lastPieces;
  }

  /** Whether somebody is at the other end; true for a port that cannot tell. */
  get connected(): boolean {
    return this.#port.connected ?? true;
  }

  /**
   * Copies a frame into chunks of the port, to be sent with the next burst.
   *
   * @param views - where the frame lies; `burst.region` indexes them
   * @param first - the frame's first descriptor
   * @param len - of all its pieces [bytes]
   * @returns false when the frame was dropped, and counted
   * @hot
   */
  take(views: readonly DataView[], burst: Burst, first: number, len: number): boolean {
    if (!this.connected) return this.#drop(NOT_CONNECTED);
    const copy = this.#copy;
    const copyLen = copy.lenOf(len, burst.flags[first]!);
    const pieces = copy.piecesOf(copyLen);
    const out = this.burst;
    if (pieces === 0 || pieces > out.capacity) return this.#drop(BAD_LENGTH);
    if (pieces > out.capacity - out.count) this.send();
    const at = out.count;
    const taken = this.#port.alloc(out, pieces);
    this.#lastPieces = taken;
    if (taken < pieces) return this.#giveBack(NO_CHUNK);
    this.#frames++;
    if (copy.copy(views, burst, first, copyLen, out, at, pieces)) return true;
    return this.refuse(UNFINISHED_CHECKSUM);
  }

  /**
   * Takes the frame out again that was taken last: its sender may not send it.
   *
   * @returns false
   */
  refuse(reason: number = NOT_ALLOWED): boolean {
    this.#frames--;
    return this.#giveBack(reason);
  }

  /** Counts a frame that may not be sent. @returns false */
  deny(): boolean {
    return this.#drop(NOT_ALLOWED);
  }

  /**
   * Sends what was taken; what the port refuses is dropped and counted. Has the port go on with what it took before, too.
   *
   * @throws SystemError once the port is gone
   * @hot
   */
  send(): void {
    const frames = this.#frames;
    if (frames === 0) {
      this.#port.flush();
      return;
    }
    const unsent = sendOrDrop(this.#port, this.burst);
    this.#frames = 0;
    this.counters[SENT]! += frames - unsent;
    if (unsent > 0) this.counters[this.connected ? FULL : NOT_CONNECTED]! += unsent;
  }

  /** The port is gone, and with it what was to be sent. */
  lose(): void {
    this.counters[LOST]! += this.#frames;
    this.#frames = 0;
    this.burst.clear();
  }

  /** Counts a frame for a port that is gone. */
  countLost(): void {
    this.counters[LOST]! += 1;
  }

  /** Gives the chunks back that were taken last. */
  #giveBack(reason: number): boolean {
    const out = this.burst;
    const returned = this.#returned;
    const kept = out.count - this.#lastPieces;
    for (let i = kept; i < out.count; i++) copyDescriptor(out, i, returned, i - kept);
    returned.count = this.#lastPieces;
    out.count = kept;
    this.#port.recycle(returned);
    return this.#drop(reason);
  }

  #drop(reason: number): boolean {
    this.counters[reason]! += 1;
    return false;
  }
}
