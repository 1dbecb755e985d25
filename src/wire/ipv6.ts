import { bytesAt, checkedField, emptyView } from './bytes.ts';
import { sumWords, swap16 } from './checksum.ts';
import { FrameError } from './frameError.ts';
import { formatIp, parseIp } from './ipAddress.ts';
import { IpProtocol } from './ipProtocol.ts';

//   0               2               4               6       7       8
//  +---+-------+---------------------------+-------+-------+-------+
//  |ver| class | flow label    | payload length| next  | hops  |
//  +---+-------+---------------+---------------+-------+-------+
//  | source (16 bytes)                                             |
//  | destination (16 bytes)                                        |
//  +---------------------------------------------------------------+
const VERSION_CLASS_LABEL = 0;
const PAYLOAD_LEN = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;
const HEADER_LEN = 40;

// Every extension header that is walked begins like this, and is at least 8 bytes long:
//
//   0       1       2       3       4               8
//  +-------+-------+-------+-------+---------------+
//  | next  | len   | type  | left  |               |     routing; options have their first TLV at 2
//  +-------+-------+-------+-------+---------------+
//  | next  | 0     | offset, more  | identification|     fragment
//  +-------+-------+---------------+---------------+
const EXTENSION_LEN = 1;
const SEGMENTS_LEFT = 3;
const FRAGMENT_FIELD = 2;
const MIN_EXTENSION_LEN = 8;
const FRAGMENT_OFFSET_OR_MORE = 0xfff9;

// measured: an imported constant is loaded at every use, one of this module is compiled into the code.
const UDP: number = IpProtocol.udp;

/** RFC 8504 §5.3 lets a host limit the chain. RFC 8200 §4.1 recommends an order in which at most 7 headers stand. */
const MAX_EXTENSIONS = 8;

/**
 * An IPv6 header with its extension headers, checked once and then read in place.
 *
 * A flyweight: its fields mean nothing before {@link Ipv6Header.check} has returned 0. The extension headers that every
 * node must know (RFC 8200 §4: hop-by-hop options, routing, destination options, fragment) are walked, at most eight of
 * them, and their contents are not interpreted, but for two: a routing header that names further stops is refused, and
 * a fragment ends the walk. Anything else, AH and ESP included, is what the packet carries: `protocol`. A jumbogram has
 * a payload length of 0 and so no room for its options: `ipv6BadExtension`.
 */
export class Ipv6Header {
  /** memory that holds the packet */
  view: DataView = emptyView;
  /** where the packet begins [byte offset in view] */
  offset = 0;
  /** header with its extension headers: at least 40 [bytes] */
  headerLen = 0;
  /** everything: at least `headerLen`, at most what the frame holds [bytes] */
  totalLen = 0;
  /** what the packet carries, see {@link IpProtocol}; for a fragment what its first header would be */
  protocol = 0;
  /** whether this is a part of a packet; a whole packet behind a fragment header (RFC 6946) is not */
  isFragment = false;

  /**
   * Wraps this object around a packet, checks its version and length and walks its extension headers.
   *
   * @param view - memory that holds the packet
   * @param offset - where the packet begins [byte offset in view]
   * @param len - from there to the end of the frame [bytes]
   * @returns 0, or `ipv6Truncated`, `ipv6BadVersion`, `ipv6BadExtension`, `ipv6TooManyExtensions`, `ipv6NotArrived` of
   * {@link FrameError}
   * @hot
   * @source RFC 8200 §3, §4
   */
  check(view: DataView, offset: number, len: number): number {
    if (len < HEADER_LEN) return FrameError.ipv6Truncated;
    if (view.getUint8((offset + VERSION_CLASS_LABEL) | 0) >>> 4 !== 6) return FrameError.ipv6BadVersion;
    const totalLen = (view.getUint16((offset + PAYLOAD_LEN) | 0) + HEADER_LEN) | 0;
    if (totalLen > len) return FrameError.ipv6Truncated;
    if (this.view !== view) this.view = view;
    this.offset = offset;
    this.totalLen = totalLen;
    this.headerLen = HEADER_LEN;
    this.isFragment = false;
    this.protocol = view.getUint8((offset + NEXT_HEADER) | 0);
    return this.protocol === UDP ? 0 : this.#walkExtensions();
  }

  #walkExtensions(): number {
    const view = this.view;
    for (let count = 0; isExtension(this.protocol); count++) {
      if (count === MAX_EXTENSIONS) return FrameError.ipv6TooManyExtensions;
      // RFC 8200 §4.1: hop-by-hop options stand immediately after the IPv6 header only.
      if (this.protocol === IpProtocol.hopByHop && count > 0) return FrameError.ipv6BadExtension;
      const room = this.totalLen - this.headerLen;
      if (room < MIN_EXTENSION_LEN) return FrameError.ipv6BadExtension;
      const at = this.offset + this.headerLen;
      let len = MIN_EXTENSION_LEN;
      if (this.protocol === IpProtocol.fragment) {
        // RFC 6946 §4: a "fragment" that is first and last at once is a whole packet.
        this.isFragment = (view.getUint16(at + FRAGMENT_FIELD) & FRAGMENT_OFFSET_OR_MORE) !== 0;
      } else {
        len += view.getUint8(at + EXTENSION_LEN) << 3;
        if (len > room) return FrameError.ipv6BadExtension;
        // RFC 8200 §4.4: with no segments left the header is ignored, otherwise this is not the last stop.
        if (this.protocol === IpProtocol.routing && view.getUint8(at + SEGMENTS_LEFT) !== 0) {
          return FrameError.ipv6NotArrived;
        }
      }
      this.protocol = view.getUint8(at);
      this.headerLen += len;
      if (this.isFragment) return 0;
    }
    return 0;
  }

  /** Differentiated services (6 bits) and congestion notification (2 bits). [u8] */
  get trafficClass(): number {
    return (this.view.getUint16(this.offset + VERSION_CLASS_LABEL) >>> 4) & 0xff;
  }

  /** Label that the packets of one flow share. [20 bits] */
  get flowLabel(): number {
    return this.view.getUint32(this.offset + VERSION_CLASS_LABEL) & 0xfffff;
  }

  /** Hop limit. [hops] */
  get hopLimit(): number {
    return this.view.getUint8(this.offset + HOP_LIMIT);
  }

  /** Source address as text. */
  get source(): string {
    return formatIp(bytesAt(this.view, this.offset + SOURCE, 16));
  }

  /** Destination address as text. */
  get destination(): string {
    return formatIp(bytesAt(this.view, this.offset + DESTINATION, 16));
  }

  /**
   * Returns the sum of the pseudo header that UDP, TCP and ICMPv6 checksums cover besides their own bytes.
   *
   * @param protocol - of the payload, see {@link IpProtocol}
   * @param len - of the payload with its own header [bytes]
   * @returns what {@link sumWords} continues from [sum of little-endian words]
   * @hot
   * @source RFC 8200 §8.1
   */
  pseudoSum(protocol: number, len: number): number {
    return sumWords(this.view, (this.offset + SOURCE) | 0, 32, ((protocol << 8) + swap16(len)) | 0);
  }
}

function isExtension(protocol: number): boolean {
  return (
    protocol === IpProtocol.hopByHop ||
    protocol === IpProtocol.routing ||
    protocol === IpProtocol.fragment ||
    protocol === IpProtocol.destinationOptions
  );
}

/** An IPv6 header to write. */
export interface Ipv6Spec {
  /** source address [text or 16 bytes] */
  readonly source: string | Uint8Array;
  /** destination address [text or 16 bytes] */
  readonly destination: string | Uint8Array;
  /** next header: what follows, see {@link IpProtocol} */
  readonly protocol: number;
  /** what follows this header, extension headers included [bytes] */
  readonly payloadLen: number;
  /** hop limit [hops, default 64] */
  readonly hopLimit?: number;
  /** differentiated services and congestion notification [u8, default 0] */
  readonly trafficClass?: number;
  /** label that the packets of one flow share [20 bits, default 0] */
  readonly flowLabel?: number;
}

/**
 * Writes an IPv6 header, without extension headers, and returns its length.
 *
 * @param view - memory to write
 * @param offset - where the packet begins [byte offset in view]
 * @param spec - the header
 * @returns 40 [bytes]
 * @throws TypeError - an address that is none
 * @throws RangeError - a field that does not fit
 * @source RFC 8200 §3
 */
export function writeIpv6Header(view: DataView, offset: number, spec: Ipv6Spec): number {
  const trafficClass = checkedField('traffic class', spec.trafficClass ?? 0, 8);
  const flowLabel = checkedField('flow label', spec.flowLabel ?? 0, 20);
  view.setUint32(offset + VERSION_CLASS_LABEL, (6 << 28) | (trafficClass << 20) | flowLabel);
  view.setUint16(offset + PAYLOAD_LEN, checkedField('IPv6 payload length', spec.payloadLen, 16));
  view.setUint8(offset + NEXT_HEADER, checkedField('protocol', spec.protocol, 8));
  view.setUint8(offset + HOP_LIMIT, checkedField('hop limit', spec.hopLimit ?? 64, 8));
  bytesAt(view, offset + SOURCE, 16).set(ipv6Bytes(spec.source));
  bytesAt(view, offset + DESTINATION, 16).set(ipv6Bytes(spec.destination));
  return HEADER_LEN;
}

function ipv6Bytes(address: string | Uint8Array): Uint8Array {
  const bytes = typeof address === 'string' ? parseIp(address) : address;
  if (bytes.length === 16) return bytes;
  throw new TypeError(`Cannot write ${formatIp(bytes)} into an IPv6 header: wanted an IPv6 address`);
}
