import { foldSum, sumWords, swap16 } from './checksum.ts';
import { EtherType, type VlanTag, writeEthernetHeader } from './ethernet.ts';
import { FrameError } from './frameError.ts';
import { parseIp } from './ipAddress.ts';
import { IpProtocol } from './ipProtocol.ts';
import { writeIpv4Header } from './ipv4.ts';
import { writeIpv6Header } from './ipv6.ts';
import { writeUdpHeader } from './udp.ts';
import { isAnswerable } from './udpEcho.ts';
import type { UdpFrame } from './udpFrame.ts';

/** Between which ends a UDP datagram travels, and how. */
export interface UdpFrameSpec {
  /** destination MAC address, of the next hop [text or 6 bytes] */
  readonly destinationMac: string | Uint8Array;
  /** source MAC address [text or 6 bytes] */
  readonly sourceMac: string | Uint8Array;
  /** VLAN tags, the outer one first [0 to 2, default none] */
  readonly vlans?: readonly VlanTag[];
  /** destination IP address [text, or 4 or 16 bytes] */
  readonly destinationAddress: string | Uint8Array;
  /** source IP address, of the same family [text, or 4 or 16 bytes] */
  readonly sourceAddress: string | Uint8Array;
  /** destination port */
  readonly destinationPort: number;
  /** source port */
  readonly sourcePort: number;
  /** TTL of IPv4, hop limit of IPv6 [hops, default 64] */
  readonly hopLimit?: number;
  /** differentiated services and congestion notification [u8, default 0] */
  readonly trafficClass?: number;
}

const NOBODY: UdpFrameSpec = {
  destinationMac: new Uint8Array(6),
  sourceMac: new Uint8Array(6),
  destinationAddress: new Uint8Array(4),
  sourceAddress: new Uint8Array(4),
  destinationPort: 0,
  sourcePort: 0,
};

const UDP: number = IpProtocol.udp;
const UDP_HEADER_LEN = 8;
const IPV4_HEADER_LEN = 20;
const IPV6_HEADER_LEN = 40;
const MAX_HEADER_LEN = 22 + IPV6_HEADER_LEN + UDP_HEADER_LEN;
const HOP_LIMIT = 64;

/**
 * Headers of a UDP datagram, made once and copied around payload after payload.
 *
 * A payload is written first, `headerLen` bytes behind where the frame is to begin; then {@link UdpFrameTemplate.write}
 * puts the headers before it, with lengths and both checksums. IPv4 packets carry "don't fragment" and no options, IPv6
 * packets no extension headers.
 */
export class UdpFrameTemplate {
  /** Ethernet, VLAN tags, IP and UDP: where the payload begins within the frame, 42 to 70 [bytes] */
  headerLen = 0;
  /** the longest payload that the 16-bit length fields of IP and UDP can say [bytes] */
  maxPayloadLen = 0;
  /** the headers; what depends on the payload is without meaning */
  readonly #image: DataView = new DataView(new ArrayBuffer(MAX_HEADER_LEN));
  #l3 = 0;
  #ipVersion = 4;
  /** sum of the IPv4 header less its total length */
  #ipSum = 0;
  /** sum of pseudo header and UDP header less the UDP length, which stands in both */
  #udpSum = 0;

  /**
   * @param spec - the ends; without it the frames go from nobody to nobody until {@link UdpFrameTemplate.replyTo}
   * @throws TypeError - an address that is none, or two of different families
   * @throws RangeError - a field that does not fit, or more than two VLAN tags
   */
  constructor(spec: UdpFrameSpec = NOBODY) {
    const source = ipBytes(spec.sourceAddress);
    const destination = ipBytes(spec.destinationAddress);
    if (source.length !== destination.length) {
      throw new TypeError('Cannot address a frame between IPv4 and IPv6: wanted two addresses of one family');
    }
    const image = this.#image;
    const hopLimit = spec.hopLimit ?? HOP_LIMIT;
    const trafficClass = spec.trafficClass ?? 0;
    const common = { source, destination, protocol: UDP, payloadLen: UDP_HEADER_LEN, trafficClass };
    const isIpv4 = source.length === 4;
    const l3 = writeEthernetHeader(image, 0, {
      destination: spec.destinationMac,
      source: spec.sourceMac,
      etherType: isIpv4 ? EtherType.ipv4 : EtherType.ipv6,
      vlans: spec.vlans ?? [],
    });
    const ipLen = isIpv4
      ? writeIpv4Header(image, l3, { ...common, ttl: hopLimit })
      : writeIpv6Header(image, l3, { ...common, hopLimit });
    const { sourcePort, destinationPort } = spec;
    writeUdpHeader(image, l3 + ipLen, { sourcePort, destinationPort, payloadLen: 0 });
    this.#settle(l3, isIpv4 ? 4 : 6);
  }

  /**
   * Turns this template into the answer to a frame: from its destination to its source, with its VLAN tags.
   *
   * Options and extension headers are not carried back; hop limit and traffic class are those of a new packet.
   *
   * @param frame - one that {@link parseUdpFrame} accepted
   * @returns 0, or `unanswerable` of {@link FrameError}
   * @hot
   */
  replyTo(frame: UdpFrame): number {
    if (!isAnswerable(frame)) return FrameError.unanswerable;
    const from = frame.view;
    const image = this.#image;
    const l2 = frame.offset;
    const l3 = (frame.l3 - l2) | 0;
    copyMac(from, (l2 + 6) | 0, image, 0);
    copyMac(from, l2, image, 6);
    for (let at = 12; at < l3; at = (at + 2) | 0) image.setUint16(at, from.getUint16((l2 + at) | 0));
    const source = frame.addressOffset;
    if (frame.ipVersion === 4) {
      image.setInt32(l3, 0x4500_001c);
      image.setInt32((l3 + 4) | 0, 0x0000_4000);
      image.setInt32((l3 + 8) | 0, (HOP_LIMIT << 24) | (UDP << 16));
      image.setInt32((l3 + 12) | 0, from.getInt32((source + 4) | 0));
      image.setInt32((l3 + 16) | 0, from.getInt32(source));
    } else {
      image.setInt32(l3, 0x6000_0000);
      image.setInt32((l3 + 4) | 0, (UDP_HEADER_LEN << 16) | (UDP << 8) | HOP_LIMIT);
      for (let at = 0; at < 16; at = (at + 4) | 0) {
        image.setInt32((l3 + 8 + at) | 0, from.getInt32((source + 16 + at) | 0));
        image.setInt32((l3 + 24 + at) | 0, from.getInt32((source + at) | 0));
      }
    }
    const l4 = (l3 + (frame.ipVersion === 4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN)) | 0;
    image.setUint16(l4, from.getUint16((frame.l4 + 2) | 0));
    image.setUint16((l4 + 2) | 0, from.getUint16(frame.l4));
    this.#settle(l3, frame.ipVersion);
    return 0;
  }

  /**
   * Writes the headers before a payload that stands at `offset + headerLen` already, and returns the frame's length.
   *
   * Writes nothing behind the payload: padding to Ethernet's 60 bytes is the driver's.
   *
   * @param view - memory to write
   * @param offset - where the frame begins; the caller owns `headerLen + payloadLen` bytes there [byte offset in view]
   * @param payloadLen - of the payload [bytes]
   * @returns length of the frame [bytes], or `payloadTooLong` of {@link FrameError}
   * @hot
   * @source RFC 791 §3.1, RFC 8200 §3, RFC 768
   */
  write(view: DataView, offset: number, payloadLen: number): number {
    if (payloadLen > this.maxPayloadLen) return FrameError.payloadTooLong;
    const image = this.#image;
    const headerLen = this.headerLen;
    // Header lengths are 2 above a multiple of 4; the last 2 bytes are the UDP checksum, which is written below.
    for (let at = 0; at < headerLen - 2; at = (at + 4) | 0) {
      view.setInt32((offset + at) | 0, image.getInt32(at, true), true);
    }
    const l3 = (offset + this.#l3) | 0;
    const udpLen = (payloadLen + UDP_HEADER_LEN) | 0;
    if (this.#ipVersion === 4) {
      const totalLen = (udpLen + IPV4_HEADER_LEN) | 0;
      view.setUint16((l3 + 2) | 0, totalLen);
      view.setUint16((l3 + 10) | 0, ~foldSum((this.#ipSum + swap16(totalLen)) | 0), true);
    } else {
      view.setUint16((l3 + 4) | 0, udpLen);
    }
    const l4 = (offset + headerLen - UDP_HEADER_LEN) | 0;
    view.setUint16((l4 + 4) | 0, udpLen);
    const sum = sumWords(view, (offset + headerLen) | 0, payloadLen, (this.#udpSum + 2 * swap16(udpLen)) | 0);
    // RFC 768: a computed checksum of zero is sent as all ones, since zero says that there is none.
    view.setUint16((l4 + 6) | 0, ~foldSum(sum) & 0xffff || 0xffff, true);
    return (headerLen + payloadLen) | 0;
  }

  /** Takes the image as it stands and sums up what does not depend on the payload. */
  #settle(l3: number, ipVersion: number): void {
    const image = this.#image;
    const ipLen = ipVersion === 4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
    const l4 = (l3 + ipLen) | 0;
    this.#l3 = l3;
    this.#ipVersion = ipVersion;
    this.headerLen = (l4 + UDP_HEADER_LEN) | 0;
    this.maxPayloadLen = 0xffff - UDP_HEADER_LEN - (ipVersion === 4 ? IPV4_HEADER_LEN : 0);
    if (ipVersion === 4) {
      image.setUint16((l3 + 2) | 0, 0);
      image.setUint16((l3 + 10) | 0, 0);
      this.#ipSum = sumWords(image, l3, IPV4_HEADER_LEN, 0);
    }
    const addresses = ipVersion === 4 ? 8 : 32;
    this.#udpSum = sumWords(image, (l4 - addresses) | 0, (addresses + 4) | 0, UDP << 8);
  }
}

function ipBytes(address: string | Uint8Array): Uint8Array {
  return typeof address === 'string' ? parseIp(address) : address;
}

function copyMac(from: DataView, at: number, to: DataView, toAt: number): void {
  to.setInt32(toAt, from.getInt32(at));
  to.setInt16((toAt + 4) | 0, from.getInt16((at + 4) | 0));
}
