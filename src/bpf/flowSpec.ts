import { parseIp } from '../wire/index.ts';

/** UDP datagrams that are ours. */
export interface FlowSpec {
  /** destination port, 1 to 65535 */
  readonly port: number;
  /** destination address, as text or as its 4 or 16 bytes; any when absent */
  readonly address?: string | Uint8Array;
  /** IP version; that of the address, or both when absent */
  readonly version?: 4 | 6;
}

/** A checked {@link FlowSpec}: one destination of one IP version. */
export interface Destination {
  readonly version: 4 | 6;
  readonly port: number;
  /** in network order; undefined is any */
  readonly address: Uint8Array | undefined;
}

/**
 * Checks a flow and returns its destinations: one, or one for each IP version.
 *
 * @throws RangeError when the port is none
 * @throws TypeError when the address is none, or not of the version
 */
export function destinationsOf(flow: FlowSpec): Destination[] {
  const { port, version } = flow;
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(`Cannot match UDP port ${port}: it must be an integer from 1 to 65535`);
  }
  if (flow.address === undefined) {
    const versions = version === undefined ? ([4, 6] as const) : ([version] as const);
    return versions.map((each) => ({ version: each, port, address: undefined }));
  }
  const address = typeof flow.address === 'string' ? parseIp(flow.address) : flow.address.slice();
  if (address.length !== 4 && address.length !== 16) {
    throw new TypeError(`Cannot match an address of ${address.length} bytes: it must have 4 or 16`);
  }
  const own = address.length === 4 ? 4 : 6;
  if (version !== undefined && version !== own) {
    throw new TypeError(`Cannot match address ${flow.address} in IPv${version}: it is of IPv${own}`);
  }
  return [{ version: own, port, address }];
}
