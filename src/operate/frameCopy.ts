import { type Burst, copyBytes, FrameFlags } from '../core/index.ts';
import type { Port } from '../port/index.ts';
import { ChecksumMode, computeChecksum, EtherType, parseUdpFrame, UdpFrame } from '../wire/index.ts';

const ETH_HEADER_LEN = 14;
/** Without its checksum, and with a VLAN tag, a frame has so much beyond the IP packet. [bytes] */
const BEYOND_MTU = 18;
const MACS_LEN = 12;
const TAG_LEN = 4;
const UDP_CHECKSUM = 6;
const UDP_HEADER_LEN = 8;

const IGNORE: ChecksumMode = ChecksumMode.ignore;
const VLAN: number = EtherType.vlan;

/** Frames as one port can send them: copies that need nothing beside their bytes. */
export class FrameCopy {
  /** longest frame that the port sends [bytes] */
  readonly maxLen: number;
  readonly #maxPieceLen: number;
  readonly #views: readonly DataView[];
  readonly #frame = new UdpFrame();
  // Where the copy stands: a piece of the source and of the target each, the place in it and what is left of it.
  #source = 0;
  #sourceAt = 0;
  #sourceLeft = 0;
  #target = 0;
  #targetAt = 0;
  #targetLeft = 0;

  /** Copies into frames of `port`; one whose packets are longer than its pieces takes chains. */
  constructor(port: Port) {
    const chains = port.mtu + ETH_HEADER_LEN > port.maxPieceLen;
    this.maxLen = chains ? port.mtu + BEYOND_MTU : Math.min(port.mtu + BEYOND_MTU, port.maxPieceLen);
    this.#maxPieceLen = port.maxPieceLen;
    this.#views = port.regions.map(({ view }) => view);
  }

  /**
   * Returns how long the copy of a frame of `len` bytes is: a VLAN tag that stands beside the frame goes into it, behind
   * MAC addresses that have to be there.
   *
   * @hot
   */
  lenOf(len: number, flags: number): number {
    return (flags & FrameFlags.vlan) === 0 || len < ETH_HEADER_LEN ? len : (len + TAG_LEN) | 0;
  }

  /**
   * Returns how many pieces a copy of `len` bytes takes; 0 when the port sends no frame of that length.
   *
   * @hot
   */
  piecesOf(len: number): number {
    if (len < ETH_HEADER_LEN || len > this.maxLen) return 0;
    return len <= this.#maxPieceLen ? 1 : Math.ceil(len / this.#maxPieceLen);
  }

  /**
   * Copies a frame into chunks that were taken for it.
   *
   * A tag beside the frame is put back behind the MAC addresses, as one of 802.1Q; a UDP checksum that was left to
   * hardware is finished, since not every port can hand on that it is not.
   *
   * @param views - where the frame lies; `burst.region` indexes them
   * @param first - the frame's first descriptor
   * @param len - of the copy, from {@link FrameCopy.lenOf} [bytes]
   * @param out - `pieces` descriptors from `at` on, written whole
   * @returns false when the checksum cannot be finished: the frame is no UDP datagram in one piece
   * @hot
   */
  copy(
    views: readonly DataView[],
    burst: Burst,
    first: number,
    len: number,
    out: Burst,
    at: number,
    pieces: number,
  ): boolean {
    const flags = burst.flags[first]!;
    if (pieces === 1 && burst.len[first] === len) {
      const target = this.#views[out.region[at]!]!;
      copyBytes(views[burst.region[first]!]!, burst.addr[first]!, target, out.addr[at]!, len);
    } else {
      this.#copyPieces(views, burst, first, len, out, at);
    }
    let left = len;
    for (let i = 0; i < pieces; i++) {
      const last = i + 1 === pieces;
      out.len[at + i] = last ? left : this.#maxPieceLen;
      out.flags[at + i] = last
        ? flags & FrameFlags.checksumVerified
        : (flags & FrameFlags.checksumVerified) | FrameFlags.continues;
      left -= this.#maxPieceLen;
    }
    return (flags & FrameFlags.checksumPartial) === 0 || (pieces === 1 && this.#finishChecksum(out, at));
  }

  #copyPieces(
    views: readonly DataView[],
    burst: Burst,
    first: number,
    len: number,
    out: Burst,
    at: number,
  ): void {
    this.#source = first;
    this.#sourceAt = burst.addr[first]!;
    this.#sourceLeft = burst.len[first]!;
    this.#target = at;
    this.#targetAt = out.addr[at]!;
    this.#targetLeft = this.#maxPieceLen;
    let left = len;
    if ((burst.flags[first]! & FrameFlags.vlan) !== 0) {
      this.#move(views, burst, out, MACS_LEN);
      const view = this.#views[out.region[this.#target]!]!;
      view.setUint16(this.#targetAt, VLAN);
      view.setUint16(this.#targetAt + 2, burst.vlan[first]!);
      this.#targetAt += TAG_LEN;
      this.#targetLeft -= TAG_LEN;
      left -= MACS_LEN + TAG_LEN;
    }
    this.#move(views, burst, out, left);
  }

  /** Copies the next `len` bytes, whatever pieces they lie in on either side. */
  #move(views: readonly DataView[], burst: Burst, out: Burst, len: number): void {
    let left = len;
    while (left > 0) {
      if (this.#sourceLeft === 0) {
        this.#source++;
        this.#sourceAt = burst.addr[this.#source]!;
        this.#sourceLeft = burst.len[this.#source]!;
        continue;
      }
      if (this.#targetLeft === 0) {
        this.#target++;
        this.#targetAt = out.addr[this.#target]!;
        this.#targetLeft = this.#maxPieceLen;
      }
      const run = Math.min(left, this.#sourceLeft, this.#targetLeft);
      const source = views[burst.region[this.#source]!]!;
      const target = this.#views[out.region[this.#target]!]!;
      copyBytes(source, this.#sourceAt, target, this.#targetAt, run);
      this.#sourceAt += run;
      this.#sourceLeft -= run;
      this.#targetAt += run;
      this.#targetLeft -= run;
      left -= run;
    }
  }

  /** The field holds the sum of the pseudo header, so that a sum over the datagram is the whole one. */
  #finishChecksum(out: Burst, at: number): boolean {
    const view = this.#views[out.region[at]!]!;
    const frame = this.#frame;
    if (parseUdpFrame(view, out.addr[at]!, out.len[at]!, frame, IGNORE) !== 0) return false;
    const checksum = computeChecksum(view, frame.l4, (frame.payloadLen + UDP_HEADER_LEN) | 0);
    // RFC 768: a computed checksum of zero is sent as all ones.
    view.setUint16((frame.l4 + UDP_CHECKSUM) | 0, checksum === 0 ? 0xffff : checksum);
    return true;
  }
}
