import {
  EthernetHeader,
  EtherType,
  frameErrorNames,
  IpProtocol,
  Ipv4Header,
  Ipv6Header,
  UdpHeader,
} from '../wire/index.ts';

/** Bytes of the payload that a line shows. */
const SHOWN = 8;
const PORTS_LEN = 4;

const ethernet = new EthernetHeader();
const ipv4 = new Ipv4Header();
const ipv6 = new Ipv6Header();
const udp = new UdpHeader();

const typeNames = new Map<number, string>(Object.entries(EtherType).map(([name, type]) => [type, name]));
const protocolNames = new Map<number, string>(
  Object.entries(IpProtocol).map(([name, protocol]) => [protocol, name]),
);

/**
 * Says in half a line what a frame is: `10.9.0.1:40000 > 10.9.0.2:9000 udp 25 | 00 00 00 01`.
 *
 * Addresses with ports where there are any, the protocol, how long what it carries is, and its first bytes. What is
 * damaged says how. Checksums are not looked at.
 *
 * @param offset - where the frame begins [byte offset in view]
 * @param len - of the frame [bytes]
 */
export function describeFrame(view: DataView, offset: number, len: number): string {
  const error = ethernet.check(view, offset, len);
  if (error < 0) return `${nameOf(error)}${hex(view, offset, len)}`;
  const { etherType, headerLen, vlanCount, vlanId, innerVlanId } = ethernet;
  const tags = vlanCount === 0 ? '' : `vlan ${vlanId}${vlanCount > 1 ? `.${innerVlanId}` : ''} `;
  const at = offset + headerLen;
  const left = len - headerLen;
  if (etherType === EtherType.ipv4) return `${tags}${describeIpv4(view, at, left)}`;
  if (etherType === EtherType.ipv6) return `${tags}${describeIpv6(view, at, left)}`;
  const type = typeNames.get(etherType) ?? `0x${etherType.toString(16).padStart(4, '0')}`;
  return `${tags}${ethernet.source} > ${ethernet.destination} ${type} ${left}${hex(view, at, left)}`;
}

function describeIpv4(view: DataView, at: number, len: number): string {
  const error = ipv4.check(view, at, len, false);
  if (error < 0) return `${nameOf(error)}${hex(view, at, len)}`;
  const { source, destination, protocol, headerLen, totalLen, isFragment } = ipv4;
  return describePacket(view, at + headerLen, totalLen - headerLen, {
    source,
    destination,
    protocol,
    isFragment,
  });
}

function describeIpv6(view: DataView, at: number, len: number): string {
  const error = ipv6.check(view, at, len);
  if (error < 0) return `${nameOf(error)}${hex(view, at, len)}`;
  const { protocol, headerLen, totalLen, isFragment } = ipv6;
  const [source, destination] = [`[${ipv6.source}]`, `[${ipv6.destination}]`];
  return describePacket(view, at + headerLen, totalLen - headerLen, {
    source,
    destination,
    protocol,
    isFragment,
  });
}

interface Packet {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly isFragment: boolean;
}

/** What an IP packet carries. */
function describePacket(view: DataView, at: number, len: number, packet: Packet): string {
  const { source, destination, protocol, isFragment } = packet;
  const name = protocolNames.get(protocol) ?? `protocol ${protocol}`;
  if (isFragment) return `${source} > ${destination} fragment of ${name} ${len}${hex(view, at, len)}`;
  const hasPorts = protocol === IpProtocol.udp || protocol === IpProtocol.tcp;
  if (!hasPorts || len < PORTS_LEN) return `${source} > ${destination} ${name} ${len}${hex(view, at, len)}`;
  const ends = `${source}:${view.getUint16(at)} > ${destination}:${view.getUint16(at + 2)} ${name}`;
  if (protocol === IpProtocol.tcp) return `${ends} ${len}${hex(view, at + PORTS_LEN, len - PORTS_LEN)}`;
  const error = udp.check(view, at, len);
  if (error < 0) return `${ends} ${nameOf(error)}`;
  const headerLen = 8;
  return `${ends} ${udp.len - headerLen}${hex(view, at + headerLen, udp.len - headerLen)}`;
}

function nameOf(error: number): string {
  return frameErrorNames[-error] ?? `error ${error}`;
}

/** ` | 00 01`, or nothing for nothing. */
function hex(view: DataView, at: number, len: number): string {
  const bytes = Array.from({ length: Math.min(len, SHOWN) }, (_, i) =>
    view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0'),
  );
  return bytes.length === 0 ? '' : ` | ${bytes.join(' ')}`;
}
