import { bytesAt, checkedField, emptyView } from './bytes.ts';
import { computeChecksum, isChecksumValid, sumWords, swap16 } from './checksum.ts';
import { FrameError } from './frameError.ts';
import { formatIp, parseIp } from './ipAddress.ts';

//   0       1       2               4               6               8
//  +-------+-------+---------------+---------------+---------------+
//  |ver|ihl| class | total length  | identification| flags, offset |
//  +-------+-------+---------------+---------------+---------------+
//  |  TTL  | proto | checksum      | source                        |
//  +-------+-------+---------------+---------------+---------------+
//  | destination                   | options, up to 40 bytes       |
//  +-------------------------------+-------------------------------+
const VERSION_AND_LEN = 0;
const TRAFFIC_CLASS = 1;
const TOTAL_LEN = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;
const OPTIONS = 20;
const MIN_HEADER_LEN = 20;
const MAX_OPTIONS_LEN = 40;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/**
 * An IPv4 header, checked once and then read in place.
 *
 * A flyweight: its fields mean nothing before {@link Ipv4Header.check} has returned 0. Options are stepped over and
 * not interpreted: `headerLen` says where they end. The total length may be shorter than the frame, which Ethernet
 * pads to 60 bytes; what lies beyond belongs to no packet.
 */
export class Ipv4Header {
  /** memory that holds the packet */
  view: DataView = emptyView;
  /** where the packet begins [byte offset in view] */
  offset = 0;
  /** header with its options: 20 to 60 [bytes] */
  headerLen = 0;
  /** header and payload: at least `headerLen`, at most what the frame holds [bytes] */
  totalLen = 0;

  /**
   * Wraps this object around a packet and checks its version, its lengths and its header checksum.
   *
   * @param view - memory that holds the packet
   * @param offset - where the packet begins [byte offset in view]
   * @param len - from there to the end of the frame [bytes]
   * @param verify - whether to check the header checksum
   * @returns 0, or `ipv4Truncated`, `ipv4BadVersion`, `ipv4BadHeaderLen`, `ipv4BadTotalLen`, `ipv4BadChecksum` of
   * {@link FrameError}
   * @hot
   * @source RFC 791 §3.1; RFC 1122 §3.2.1
   */
  check(view: DataView, offset: number, len: number, verify: boolean): number {
    if (len < MIN_HEADER_LEN) return FrameError.ipv4Truncated;
    const versionAndLen = view.getUint8((offset + VERSION_AND_LEN) | 0);
    // RFC 1122 §3.2.1.1: a datagram whose version number is not 4 MUST be silently discarded.
    if (versionAndLen >>> 4 !== 4) return FrameError.ipv4BadVersion;
    const headerLen = (versionAndLen & 0xf) << 2;
    if (headerLen < MIN_HEADER_LEN) return FrameError.ipv4BadHeaderLen;
    const totalLen = view.getUint16((offset + TOTAL_LEN) | 0);
    if (totalLen < headerLen) return FrameError.ipv4BadTotalLen;
    if (totalLen > len) return FrameError.ipv4Truncated;
    // RFC 1122 §3.2.1.2: a host MUST verify the header checksum and silently discard what fails.
    if (verify && !isChecksumValid(view, offset, headerLen)) return FrameError.ipv4BadChecksum;
    if (this.view !== view) this.view = view;
    this.offset = offset;
    this.headerLen = headerLen;
    this.totalLen = totalLen;
    return 0;
  }

  /** What the packet carries, see {@link IpProtocol}. [u8] */
  get protocol(): number {
    return this.view.getUint8((this.offset + PROTOCOL) | 0);
  }

  /** Whether this is a part of a packet: more fragments follow, or it is not the first. */
  get isFragment(): boolean {
    return (this.view.getUint16((this.offset + FRAGMENT) | 0) & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0;
  }

  /** Differentiated services (6 bits) and congestion notification (2 bits). [u8] */
  get trafficClass(): number {
    return this.view.getUint8(this.offset + TRAFFIC_CLASS);
  }

  /** Number that the fragments of one packet share. [u16] */
  get identification(): number {
    return this.view.getUint16(this.offset + IDENTIFICATION);
  }

  /** Time to live. [hops] */
  get ttl(): number {
    return this.view.getUint8(this.offset + TTL);
  }

  /** Source address as text. */
  get source(): string {
    return formatIp(bytesAt(this.view, this.offset + SOURCE, 4));
  }

  /** Destination address as text. */
  get destination(): string {
    return formatIp(bytesAt(this.view, this.offset + DESTINATION, 4));
  }

  /**
   * Returns the sum of the pseudo header that UDP and TCP checksums cover besides their own bytes.
   *
   * @param protocol - of the payload, see {@link IpProtocol}
   * @param len - of the payload with its own header [bytes]
   * @returns what {@link sumWords} continues from [sum of little-endian words]
   * @hot
   * @source RFC 768, RFC 9293 §3.1
   */
  pseudoSum(protocol: number, len: number): number {
    return sumWords(this.view, (this.offset + SOURCE) | 0, 8, ((protocol << 8) + swap16(len)) | 0);
  }
}

/** An IPv4 header to write. */
export interface Ipv4Spec {
  /** source address [text or 4 bytes] */
  readonly source: string | Uint8Array;
  /** destination address [text or 4 bytes] */
  readonly destination: string | Uint8Array;
  /** what the packet carries, see {@link IpProtocol} */
  readonly protocol: number;
  /** what follows the header [bytes] */
  readonly payloadLen: number;
  /** time to live [hops, default 64] */
  readonly ttl?: number;
  /** differentiated services and congestion notification [u8, default 0] */
  readonly trafficClass?: number;
  /** number that fragments share [u16, default 0, which RFC 6864 allows where `dontFragment` is set] */
  readonly identification?: number;
  /** whether routers must not fragment [default true] */
  readonly dontFragment?: boolean;
  /** whether another fragment follows [default false] */
  readonly moreFragments?: boolean;
  /** where this fragment belongs [units of 8 bytes, default 0] */
  readonly fragmentOffset?: number;
  /** options as they stand in the header [0 to 40 bytes, a multiple of 4] */
  readonly options?: Uint8Array;
}

/**
 * Writes an IPv4 header with its checksum and returns its length.
 *
 * @param view - memory to write
 * @param offset - where the packet begins [byte offset in view]
 * @param spec - the header
 * @returns 20 to 60 [bytes]
 * @throws TypeError - an address that is none
 * @throws RangeError - a field that does not fit
 * @source RFC 791 §3.1
 */
export function writeIpv4Header(view: DataView, offset: number, spec: Ipv4Spec): number {
  const options = spec.options ?? new Uint8Array(0);
  if (options.length > MAX_OPTIONS_LEN || options.length % 4 !== 0) {
    throw new RangeError(
      `Cannot write ${options.length} bytes of IPv4 options: wanted 0 to 40, a multiple of 4`,
    );
  }
  const headerLen = MIN_HEADER_LEN + options.length;
  const flags =
    ((spec.dontFragment ?? true) ? DONT_FRAGMENT : 0) | (spec.moreFragments === true ? MORE_FRAGMENTS : 0);
  view.setUint8(offset + VERSION_AND_LEN, 0x40 | (headerLen >>> 2));
  view.setUint8(offset + TRAFFIC_CLASS, checkedField('traffic class', spec.trafficClass ?? 0, 8));
  view.setUint16(offset + TOTAL_LEN, checkedField('IPv4 total length', headerLen + spec.payloadLen, 16));
  view.setUint16(offset + IDENTIFICATION, checkedField('identification', spec.identification ?? 0, 16));
  view.setUint16(offset + FRAGMENT, flags | checkedField('fragment offset', spec.fragmentOffset ?? 0, 13));
  view.setUint8(offset + TTL, checkedField('TTL', spec.ttl ?? 64, 8));
  view.setUint8(offset + PROTOCOL, checkedField('protocol', spec.protocol, 8));
  view.setUint16(offset + CHECKSUM, 0);
  bytesAt(view, offset + SOURCE, 4).set(ipv4Bytes(spec.source));
  bytesAt(view, offset + DESTINATION, 4).set(ipv4Bytes(spec.destination));
  bytesAt(view, offset + OPTIONS, options.length).set(options);
  view.setUint16(offset + CHECKSUM, computeChecksum(view, offset, headerLen));
  return headerLen;
}

function ipv4Bytes(address: string | Uint8Array): Uint8Array {
  const bytes = typeof address === 'string' ? parseIp(address) : address;
  if (bytes.length === 4) return bytes;
  throw new TypeError(`Cannot write ${formatIp(bytes)} into an IPv4 header: wanted an IPv4 address`);
}
