import type { FrameErrorName } from '../../src/wire/index.ts';
import type { TsharkFrame } from './tshark.ts';

// Turns what tshark says of a frame into the outcome that we have to come to: the rules are those of the RFCs and of
// wire/index.ts, the numbers and the judgement of checksums are tshark's.
//
// Where tshark legitimately sees more than we do:
// - It looks into tunnels and encrypted or authenticated headers. For us the outermost IP header counts, and AH is what
//   the packet carries, as long as nobody verifies it.
// - It dissects what a capture cut off. We refuse a packet that is not all there.
// - It takes a length of 0 for segmentation offload and reads on (IPv4 total length, IPv6 payload length, UDP
//   length over IPv6). On the wire no packet has it.
// - It believes the jumbo payload option. No Ethernet frame of ours can hold a jumbogram.
// - It shows what lies between the end of the datagram and that of the packet as payload. We leave it out.
// - It computes a checksum with the final destination of a routing header. We refuse a packet with further stops.

const GOOD = '1';
const NOT_PRESENT = '3';
const ILLEGAL = '4';

/** The header chain from Ethernet to IP, 0-2 tags between: `eth:ethertype:vlan:ethertype:ip`. */
const OUTER_IP = /^eth:ethertype((?::(?:vlan|ieee8021ad):ethertype){0,2}):(ip|ipv6)(?![^:])/;

/** Returns the outcome of parseUdpFrame() that follows from what tshark read. */
export function expectedOutcome(frame: TsharkFrame): 'accepted' | FrameErrorName {
  const room = Number(frame['frame.cap_len']);
  const outer = OUTER_IP.exec(frame['frame.protocols']);
  if (outer === null) return expectedWithoutIp(frame, room);
  // Two tags of 802.1ad are one header to tshark.
  const tags = outer[1]!.split(':ethertype').length - 1 + (frame['ieee8021ad.svid'] === '' ? 0 : 1);
  const l3 = 14 + 4 * tags;
  return outer[2] === 'ip' ? expectedOverIpv4(frame, room - l3) : expectedOverIpv6(frame, room - l3);
}

function expectedWithoutIp(frame: TsharkFrame, room: number): FrameErrorName {
  if (room < 14) return 'ethernetTruncated';
  const protocols = frame['frame.protocols'];
  const tags = protocols.split(/:vlan|:ieee8021ad/).length - 1 + (frame['ieee8021ad.svid'] === '' ? 0 : 1);
  if (tags > 2) return 'tooManyVlanTags';
  const isData = /^eth:ethertype(?::(?:vlan|ieee8021ad):ethertype)*:data$/.test(protocols);
  return isData && frame['_ws.expert.message'].includes('Bogus IPv6 version') ? 'ipv6BadVersion' : 'notIp';
}

function expectedOverIpv4(frame: TsharkFrame, room: number): 'accepted' | FrameErrorName {
  const expert = frame['_ws.expert.message'];
  if (room < 20) return 'ipv4Truncated';
  if (expert.includes('Bogus IPv4 version')) return 'ipv4BadVersion';
  const headerLen = Number(frame['ip.hdr_len']);
  const totalLen = Number(frame['ip.len']);
  if (headerLen < 20) return 'ipv4BadHeaderLen';
  if (totalLen < headerLen) return 'ipv4BadTotalLen';
  if (totalLen > room) return 'ipv4Truncated';
  if (frame['ip.checksum.status'] !== GOOD) return 'ipv4BadChecksum';
  if (frame['ip.flags.mf'] === '1' || frame['ip.frag_offset'] !== '0') return 'ipv4Fragment';
  if (frame['ip.proto'] !== '17') return 'notUdp';
  return expectedUdp(frame, totalLen - headerLen);
}

function expectedOverIpv6(frame: TsharkFrame, room: number): 'accepted' | FrameErrorName {
  if (room < 40) return 'ipv6Truncated';
  const payloadLen = Number(frame['ipv6.plen']);
  if (payloadLen + 40 > room) return 'ipv6Truncated';
  const [, extensions, next] = /:ipv6((?::ipv6\.\w+)*)(?::(\w+))?/.exec(frame['frame.protocols'])!;
  if (extensions !== '' && payloadLen === 0) return 'ipv6BadExtension';
  // The packet inside an ICMPv6 error has extension headers of its own.
  const has = (name: string): boolean => extensions!.includes(`:ipv6.${name}`);
  if (has('routing') && Number(frame['ipv6.routing.segleft']) > 0) return 'ipv6NotArrived';
  const isFragment = Number(frame['ipv6.fraghdr.offset']) > 0 || frame['ipv6.fraghdr.more'] === '1';
  if (has('fraghdr') && isFragment) return 'ipv6Fragment';
  if (next !== 'udp') return 'notUdp';
  return expectedUdp(frame, payloadLen);
}

function expectedUdp(frame: TsharkFrame, room: number): 'accepted' | FrameErrorName {
  if (room < 8) return 'udpTruncated';
  if (frame['udp.length'] === '0') return 'udpBadLen';
  if (frame['_ws.expert.message'].includes('Bad length value')) return 'udpBadLen';
  const status = frame['udp.checksum.status'];
  if (status === ILLEGAL) return 'udpNoChecksum';
  return status === GOOD || status === NOT_PRESENT ? 'accepted' : 'udpBadChecksum';
}
