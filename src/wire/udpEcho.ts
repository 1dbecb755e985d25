import { updateChecksum } from './checksum.ts';
import { FrameError } from './frameError.ts';
import type { UdpFrame } from './udpFrame.ts';

const HOP_LIMIT = 64;
const IPV4_TTL = 8;
const IPV4_CHECKSUM = 10;
const IPV6_HOP_LIMIT = 7;

/**
 * Says whether an answer to a frame can be addressed: neither end is a group, nobody, or port 0.
 *
 * @param frame - one that {@link parseUdpFrame} accepted
 * @hot
 * @source RFC 1122 §3.2.1.3, RFC 4291 §2.7 (a source address is never a group); RFC 768 (port 0 expects no answer)
 */
export function isAnswerable(frame: UdpFrame): boolean {
  const view = frame.view;
  const source = frame.addressOffset;
  // The group bit of a MAC address is the lowest of its first byte.
  const macs = view.getUint8(frame.offset) | view.getUint8((frame.offset + 6) | 0);
  if ((macs & 1) !== 0 || frame.sourcePort === 0 || frame.destinationPort === 0) return false;
  if (frame.ipVersion === 4) return isIpv4Host(view, source) && isIpv4Host(view, (source + 4) | 0);
  return isIpv6Host(view, source) && isIpv6Host(view, (source + 16) | 0);
}

/** 0.0.0.0/8 is nobody; 224.0.0.0/4 are groups, and what lies above is reserved or broadcast. */
function isIpv4Host(view: DataView, at: number): boolean {
  const first = view.getUint8(at);
  return first !== 0 && first < 224;
}

/** ff00::/8 are groups, `::` is nobody. */
function isIpv6Host(view: DataView, at: number): boolean {
  const first = view.getInt32(at);
  if (first !== 0) return first >>> 24 !== 0xff;
  return (view.getInt32((at + 4) | 0) | view.getInt32((at + 8) | 0) | view.getInt32((at + 12) | 0)) !== 0;
}

/**
 * Sends a frame back where it came from: exchanges the MAC addresses, IP addresses and ports in place.
 *
 * The payload, VLAN tags, IPv4 options and IPv6 extension headers stay as they are, the hop limit starts anew. The UDP
 * checksum stays as it is, since a sum does not depend on the order of its parts; that of IPv4 follows the hop limit.
 *
 * @param frame - one that {@link parseUdpFrame} accepted; its fields hold for the answer too
 * @returns length of the frame to transmit [bytes], or `unanswerable` of {@link FrameError}, the frame unchanged
 * @hot
 * @source RFC 862; RFC 1071 §2 (A)
 */
export function echoUdpFrame(frame: UdpFrame): number {
  if (!isAnswerable(frame)) return FrameError.unanswerable;
  const view = frame.view;
  const l2 = frame.offset;
  swapBytes(view, l2, (l2 + 6) | 0, 6);
  swapBytes(view, frame.addressOffset, (frame.addressOffset + frame.addressLen) | 0, frame.addressLen);
  swapBytes(view, frame.l4, (frame.l4 + 2) | 0, 2);
  if (frame.ipVersion === 4) {
    const before = view.getUint16((frame.l3 + IPV4_TTL) | 0);
    const after = (HOP_LIMIT << 8) | (before & 0xff);
    const checksumAt = (frame.l3 + IPV4_CHECKSUM) | 0;
    view.setUint16((frame.l3 + IPV4_TTL) | 0, after);
    view.setUint16(checksumAt, updateChecksum(view.getUint16(checksumAt), before, after));
  } else {
    view.setUint8((frame.l3 + IPV6_HOP_LIMIT) | 0, HOP_LIMIT);
  }
  return frame.len;
}

/** Exchanges two runs of `len` bytes, an even number. */
function swapBytes(view: DataView, first: number, second: number, len: number): void {
  for (let at = 0; at < len; at = (at + 2) | 0) {
    const word = view.getUint16((first + at) | 0);
    view.setUint16((first + at) | 0, view.getUint16((second + at) | 0));
    view.setUint16((second + at) | 0, word);
  }
}
