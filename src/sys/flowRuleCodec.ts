import { formatIp, parseIp } from './ipAddress.ts';
import {
  AF_INET,
  ETHTOOL_SRXCLSRLINS,
  ethtool_rx_flow_spec,
  ethtool_rxnfc,
  ethtool_tcpip4_spec,
  ethtool_tcpip6_spec,
  UDP_V4_FLOW,
  UDP_V6_FLOW,
} from './uapi/index.ts';

/** The UDP datagrams of one IP version that a rule takes; what is absent may be anything. */
export interface FlowMatch {
  /** that of the addresses; must be told when there is none */
  readonly version?: 4 | 6;
  /** destination port, 1 to 65535 */
  readonly port: number;
  /** destination */
  readonly address?: string;
  readonly sourceAddress?: string;
  /** 1 to 65535 */
  readonly sourcePort?: number;
}

/** A rule as the interface has it. */
export interface ListedFlowRule {
  /** its place in the interface's table, by which it is removed; a lower one usually wins */
  readonly location: number;
  /** where the datagrams go; undefined when they are dropped, or go to a virtual function */
  readonly queue: number | undefined;
  /** undefined when it takes something else than whole ports and addresses of UDP */
  readonly match: FlowMatch | undefined;
}

//  struct ethtool_rxnfc
//  +-----+-----------+------+-- fs: struct ethtool_rx_flow_spec --------------------------+----------+
//  | cmd | flow_type | data | flow_type | h_u, h_ext | m_u, m_ext | ring_cookie | location | rule_cnt |
//  +-----+-----------+------+-----------+------------+------------+-------------+----------+----------+
//  h_u holds what is compared and m_u which bits of it, both in the struct of the IP version:
const layouts = {
  4: {
    type: UDP_V4_FLOW,
    addressLen: 4,
    address: ethtool_tcpip4_spec.ip4dst,
    sourceAddress: ethtool_tcpip4_spec.ip4src,
    port: ethtool_tcpip4_spec.pdst,
    sourcePort: ethtool_tcpip4_spec.psrc,
  },
  6: {
    type: UDP_V6_FLOW,
    addressLen: 16,
    address: ethtool_tcpip6_spec.ip6dst,
    sourceAddress: ethtool_tcpip6_spec.ip6src,
    port: ethtool_tcpip6_spec.pdst,
    sourcePort: ethtool_tcpip6_spec.psrc,
  },
} as const;

const FLOW_TYPE = ethtool_rxnfc.fs + ethtool_rx_flow_spec.flow_type;
const VALUE = ethtool_rxnfc.fs + ethtool_rx_flow_spec.h_u;
const MASK = ethtool_rxnfc.fs + ethtool_rx_flow_spec.m_u;
const QUEUE = ethtool_rxnfc.fs + ethtool_rx_flow_spec.ring_cookie;
/** Where in the request the location stands, which the kernel fills in when it chose one. */
export const LOCATION: number = ethtool_rxnfc.fs + ethtool_rx_flow_spec.location;

/**
 * Returns the request that inserts a rule: struct ethtool_rxnfc for ETHTOOL_SRXCLSRLINS.
 *
 * @param queue - the nicQueue that the datagrams shall arrive on
 * @param location - where in the table, or RX_CLS_LOC_ANY
 * @throws RangeError when a port or the queue cannot be
 * @throws TypeError when an address is none, or the IP version is not clear
 * @source linux/ethtool.h, struct ethtool_rxnfc, ethtool_rx_flow_spec, ethtool_tcpip4_spec, ethtool_tcpip6_spec
 */
export function encodeFlowRule(match: FlowMatch, queue: number, location: number): DataView<ArrayBuffer> {
  if (!Number.isInteger(queue) || queue < 0 || queue > 0xffff) {
    throw new RangeError(`Cannot steer flow to queue ${queue}: want an integer from 0 to 65535`);
  }
  const layout = layouts[versionOf(match)];
  const request = new DataView(new ArrayBuffer(ethtool_rxnfc.sizeof));
  const bytes = new Uint8Array(request.buffer);
  request.setUint32(ethtool_rxnfc.cmd, ETHTOOL_SRXCLSRLINS, true);
  request.setUint32(FLOW_TYPE, layout.type, true);
  for (const field of ['address', 'sourceAddress'] as const) {
    const address = match[field];
    if (address === undefined) continue;
    bytes.set(parseIp(address).bytes, VALUE + layout[field]);
    bytes.fill(0xff, MASK + layout[field], MASK + layout[field] + layout.addressLen);
  }
  for (const field of ['port', 'sourcePort'] as const) {
    const port = match[field];
    if (port === undefined) continue;
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new RangeError(`Cannot steer flow of ${field} ${port}: want an integer from 1 to 65535`);
    }
    request.setUint16(VALUE + layout[field], port, false);
    request.setUint16(MASK + layout[field], 0xffff, false);
  }
  request.setUint32(QUEUE, queue, true);
  request.setUint32(LOCATION, location, true);
  return request;
}

/** Reads the kernel's answer to ETHTOOL_GRXCLSRULE. */
export function decodeFlowRule(answer: DataView<ArrayBuffer>): ListedFlowRule {
  return {
    location: answer.getUint32(LOCATION, true),
    queue: answer.getUint32(QUEUE + 4, true) === 0 ? answer.getUint32(QUEUE, true) : undefined,
    match: readMatch(answer),
  };
}

/** Says whether two rules take exactly the same datagrams. @throws TypeError, RangeError as {@link encodeFlowRule} */
export function sameFlow(a: FlowMatch, b: FlowMatch): boolean {
  const [left, right] = [a, b].map((match) => Buffer.from(encodeFlowRule(match, 0, 0).buffer));
  return left!.equals(right!);
}

function versionOf(match: FlowMatch): 4 | 6 {
  const versions = [match.address, match.sourceAddress]
    .filter((address) => address !== undefined)
    .map((address) => (parseIp(address).family === AF_INET ? 4 : 6));
  if (match.version !== undefined) versions.push(match.version);
  const [version] = versions;
  if (version === undefined) {
    throw new TypeError(`Cannot steer flow of port ${match.port}: tell its IP version, or an address`);
  }
  if (versions.some((each) => each !== version)) {
    throw new TypeError(`Cannot steer flow of port ${match.port}: want one IP version, got IPv4 and IPv6`);
  }
  return version;
}

/** What a rule takes, or undefined when it cannot be said as a {@link FlowMatch}. */
function readMatch(answer: DataView<ArrayBuffer>): FlowMatch | undefined {
  const type = answer.getUint32(FLOW_TYPE, true);
  const version = ([4, 6] as const).find((each) => layouts[each].type === type);
  if (version === undefined) return undefined;
  const layout = layouts[version];
  const compared = (field: 'address' | 'sourceAddress' | 'port' | 'sourcePort'): boolean =>
    answer.getUint8(MASK + layout[field]) !== 0;
  const address = (at: number): string =>
    formatIp(new Uint8Array(answer.buffer.slice(VALUE + at, VALUE + at + layout.addressLen)));
  if (!compared('port')) return undefined;
  const match: FlowMatch = {
    version,
    port: answer.getUint16(VALUE + layout.port, false),
    ...(compared('address') ? { address: address(layout.address) } : {}),
    ...(compared('sourceAddress') ? { sourceAddress: address(layout.sourceAddress) } : {}),
    ...(compared('sourcePort') ? { sourcePort: answer.getUint16(VALUE + layout.sourcePort, false) } : {}),
  };
  // Masks that cover more or less than whole fields of ours: a prefix, a traffic class, a VLAN.
  const masks = (request: DataView<ArrayBuffer>): Buffer => Buffer.from(request.buffer, MASK, QUEUE - MASK);
  return masks(encodeFlowRule(match, 0, 0)).equals(masks(answer)) ? match : undefined;
}
