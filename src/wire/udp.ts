import { checkedField, emptyView } from './bytes.ts';
import { computeChecksum, isChecksumValid } from './checksum.ts';
import { FrameError } from './frameError.ts';

//   0               2               4               6               8
//  +---------------+---------------+---------------+---------------+---------
//  | source port   | dest. port    | length        | checksum      | payload
//  +---------------+---------------+---------------+---------------+---------
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LEN = 4;
const CHECKSUM = 6;
const HEADER_LEN = 8;

/**
 * A UDP header, checked once and then read in place.
 *
 * A flyweight: its fields mean nothing before {@link UdpHeader.check} has returned 0. A UDP length below that of the IP
 * payload is taken, as Linux does, and the surplus belongs to nobody (RFC 9868 makes options of it). A length of 0, a
 * jumbogram's, is refused.
 */
export class UdpHeader {
  /** memory that holds the datagram */
  view: DataView = emptyView;
  /** where the datagram begins [byte offset in view] */
  offset = 0;
  /** header and payload: at least 8, at most what the IP packet holds [bytes] */
  len = 0;

  /**
   * Wraps this object around a datagram and checks its length.
   *
   * @param view - memory that holds the datagram
   * @param offset - where the datagram begins [byte offset in view]
   * @param len - from there to the end of the IP packet [bytes]
   * @returns 0, or `udpTruncated`, `udpBadLen` of {@link FrameError}
   * @hot
   * @source RFC 768
   */
  check(view: DataView, offset: number, len: number): number {
    if (len < HEADER_LEN) return FrameError.udpTruncated;
    const udpLen = view.getUint16((offset + LEN) | 0);
    if (udpLen < HEADER_LEN || udpLen > len) return FrameError.udpBadLen;
    if (this.view !== view) this.view = view;
    this.offset = offset;
    this.len = udpLen;
    return 0;
  }

  /** Source port; 0 where no answer is expected. */
  get sourcePort(): number {
    return this.view.getUint16((this.offset + SOURCE_PORT) | 0);
  }

  /** Destination port. */
  get destinationPort(): number {
    return this.view.getUint16((this.offset + DESTINATION_PORT) | 0);
  }

  /** Checksum as sent; 0 for none. [u16] */
  get checksum(): number {
    return this.view.getUint16((this.offset + CHECKSUM) | 0);
  }

  /**
   * Says whether the datagram and its pseudo header add up; one that was sent without a checksum does not.
   *
   * @param pseudoSum - `pseudoSum(IpProtocol.udp, udp.len)` of the IP header [sum of little-endian words]
   * @hot
   * @source RFC 768
   */
  isChecksumValid(pseudoSum: number): boolean {
    return this.checksum !== 0 && isChecksumValid(this.view, this.offset, this.len, pseudoSum);
  }
}

/** A UDP header to write. */
export interface UdpSpec {
  /** source port */
  readonly sourcePort: number;
  /** destination port */
  readonly destinationPort: number;
  /** what follows the header [bytes] */
  readonly payloadLen: number;
  /**
   * `pseudoSum(IpProtocol.udp, 8 + payloadLen)` of the IP header; without it no checksum is written, which IPv4 allows
   * [sum of little-endian words]
   */
  readonly pseudoSum?: number;
}

/**
 * Writes a UDP header, with a checksum over the payload that stands behind it already, and returns its length.
 *
 * @param view - memory to write
 * @param offset - where the datagram begins [byte offset in view]
 * @param spec - the header
 * @returns 8 [bytes]
 * @throws RangeError - a field that does not fit
 * @source RFC 768
 */
export function writeUdpHeader(view: DataView, offset: number, spec: UdpSpec): number {
  const len = checkedField('UDP length', HEADER_LEN + spec.payloadLen, 16);
  view.setUint16(offset + SOURCE_PORT, checkedField('source port', spec.sourcePort, 16));
  view.setUint16(offset + DESTINATION_PORT, checkedField('destination port', spec.destinationPort, 16));
  view.setUint16(offset + LEN, len);
  view.setUint16(offset + CHECKSUM, 0);
  if (spec.pseudoSum !== undefined) {
    // RFC 768: a computed checksum of zero is sent as all ones, since zero says that there is none.
    view.setUint16(offset + CHECKSUM, computeChecksum(view, offset, len, spec.pseudoSum) || 0xffff);
  }
  return HEADER_LEN;
}
