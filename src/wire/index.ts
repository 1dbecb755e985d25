/**
 * wire: frames as bytes. Checks them once, then reads them in place; builds them; reads and writes captures of them.
 *
 * {@link parseUdpFrame} takes a frame from Ethernet (0-2 VLAN tags) over IPv4 or IPv6 to UDP, checksums included, and
 * fills a {@link UdpFrame}; {@link UdpFrameTemplate} writes such frames, {@link echoUdpFrame} sends one back. One header
 * alone has a flyweight (`Ipv4Header`, …) and a writer (`writeIpv4Header`, …). {@link readCapture} reads pcap and pcapng,
 * {@link writePcapngPacket} and its neighbours write pcapng.
 * {@link rssQueue} computes as NICs do which nicQueue a flow lands on.
 *
 * Data: no memory is owned or allocated. A flyweight is a view, an offset and lengths, re-wrapped for every frame.
 * Invariants: `check()` reads every length once and compares it with the one that encloses it; after it returned 0 no
 * accessor fails or leaves the frame, even if the bytes change meanwhile. Hot code returns a `FrameError`, never throws;
 * each code has a counter name.
 *
 * Deliberate: an IPv4 packet's options are stepped over; of IPv6's extension headers hop-by-hop, routing, destination
 * options and fragment are walked, at most eight. A fragment is refused, a whole packet with a fragment header is not.
 * Padding behind the IP packet and a surplus behind the UDP datagram are ignored, as Linux does.
 *
 * Not here: reassembly, ARP, ICMP, TCP, neighbours and routes; whose frame it is (`net/`, `order/`).
 *
 * References: RFC 768, 791, 1071, 1122, 1624, 5952, 6946, 8200; IEEE 802.3, 802.1Q; draft-ietf-opsawg-pcap, -pcapng.
 */
export { type CapturedFrame, type CaptureTime, readCapture } from './capture.ts';
export { CaptureError } from './captureError.ts';
export {
  ChecksumMode,
  computeChecksum,
  foldSum,
  isChecksumValid,
  sumWords,
  updateChecksum,
} from './checksum.ts';
export {
  EthernetHeader,
  type EthernetSpec,
  EtherType,
  ethernetHeaderLen,
  type VlanTag,
  writeEthernetHeader,
} from './ethernet.ts';
export { FrameError, type FrameErrorName, frameErrorHelp, frameErrorNames } from './frameError.ts';
export { formatIp, parseIp } from './ipAddress.ts';
export { IpProtocol } from './ipProtocol.ts';
export { Ipv4Header, type Ipv4Spec, writeIpv4Header } from './ipv4.ts';
export { Ipv6Header, type Ipv6Spec, writeIpv6Header } from './ipv6.ts';
export { formatMac, parseMac } from './mac.ts';
export {
  CaptureDirection,
  PCAPNG_FRAME_OFFSET,
  type PcapngHeaderSpec,
  type PcapngStatistics,
  pcapngHeader,
  pcapngPacketLen,
  pcapngStatistics,
  writePcapngPacket,
} from './pcapngWriter.ts';
export type { RssAnswer, RssField, RssFlow, RssSettings } from './rss.ts';
export { rssInput, rssQueue } from './rss.ts';
export { toeplitzHash } from './toeplitz.ts';
export { UdpHeader, type UdpSpec, writeUdpHeader } from './udp.ts';
export { echoUdpFrame, isAnswerable } from './udpEcho.ts';
export { parseUdpFrame, UdpFrame } from './udpFrame.ts';
export { type UdpFrameSpec, UdpFrameTemplate } from './udpFrameTemplate.ts';
