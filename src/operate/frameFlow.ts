import { type Burst, copyBytes, FrameFlags } from '../core/index.ts';
import { ChecksumMode, FrameError, parseUdpFrame, UdpFrame } from '../wire/index.ts';

const IGNORE: ChecksumMode = ChecksumMode.ignore;
const UDP_HEADER_LEN = 8;

/** Of a frame in several pieces, headers are looked for in so much of the first. [bytes] */
const HEAD_LEN = 256;

/** An IP packet of 64 KiB behind two VLAN tags. [bytes] */
const LONGEST = 65_536 + 22;

/**
 * Reads which UDP datagram a frame is, in one piece or in several.
 *
 * Only headers are read, no checksum: whoever gets the frame checks it. A copy of the head stands for a frame in pieces, so
 * that whatever its headers say is read from there.
 */
export class FrameFlow {
  /** where the headers lie; valid after {@link FrameFlow.read} returned 0 */
  readonly frame: UdpFrame = new UdpFrame();
  /** zero behind the head */
  readonly #head = new DataView(new ArrayBuffer(LONGEST));

  /**
   * Looks at the frame whose first descriptor is `first`.
   *
   * @param views - where it lies; `burst.region` indexes them
   * @param len - of all its pieces [bytes]
   * @returns 0, or a FrameError
   * @hot
   */
  read(views: readonly DataView[], burst: Burst, first: number, len: number): number {
    const view = views[burst.region[first]!]!;
    const addr = burst.addr[first]!;
    const frame = this.frame;
    if ((burst.flags[first]! & FrameFlags.continues) === 0) {
      return parseUdpFrame(view, addr, len, frame, IGNORE);
    }
    const headLen = Math.min(burst.len[first]!, HEAD_LEN);
    copyBytes(view, addr, this.#head, 0, headLen);
    const code = parseUdpFrame(this.#head, 0, Math.min(len, LONGEST), frame, IGNORE);
    if (code !== 0) return code;
    return frame.l4 + UDP_HEADER_LEN > headLen ? FrameError.udpTruncated : 0;
  }
}

/**
 * Finds the last descriptor of the frame that begins at `first`.
 *
 * @hot
 */
export function lastPiece(burst: Burst, first: number): number {
  let last = first;
  while ((burst.flags[last]! & FrameFlags.continues) !== 0 && last + 1 < burst.count) last++;
  return last;
}

/**
 * Adds up the pieces of a frame.
 *
 * @returns length of the frame [bytes]
 * @hot
 */
export function frameLen(burst: Burst, first: number, last: number): number {
  let len = 0;
  for (let i = first; i <= last; i++) len += burst.len[i]!;
  return len;
}
