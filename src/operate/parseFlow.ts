import { destinationsOf, type FlowSpec } from '../bpf/index.ts';
import { formatIp } from '../wire/index.ts';

/** How an IPv6 address begins that stands for an IPv4 one. @source RFC 4291 §2.5.5.2 */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;

/**
 * Reads a flow: `udp:PORT`, `udp:ADDRESS:PORT` or `udp:[IPV6]:PORT`.
 *
 * Without an address it is every datagram to the port, of either IP version.
 *
 * @throws TypeError when the text is no flow, or its address none that a datagram is sent to
 * @throws RangeError when the port is none
 */
export function parseFlow(text: string): FlowSpec {
  const match = /^udp:(?:\[([^\]]*:[^\]]*)\]:|([^:[\]]+):)?(\d+)$/.exec(text);
  if (match === null) {
    throw new TypeError(
      `Cannot read flow: want udp:PORT, udp:ADDRESS:PORT or udp:[IPV6]:PORT, got "${text}"`,
    );
  }
  const address = match[1] ?? match[2];
  const flow: FlowSpec = { port: Number(match[3]), ...(address === undefined ? {} : { address }) };
  const [{ address: bytes }] = destinationsOf(flow) as [ReturnType<typeof destinationsOf>[number]];
  if (bytes?.every((byte) => byte === 0)) {
    throw new TypeError(`Cannot read flow ${text}: for any address, name the port alone`);
  }
  if (bytes?.length === 16 && MAPPED.every((byte, i) => byte === bytes[i])) {
    const ipv4 = `udp:${formatIp(bytes.subarray(12))}:${flow.port}`;
    throw new TypeError(`Cannot read flow ${text}: its address is in no packet, name ${ipv4}`);
  }
  return flow;
}
