import { type Destination, destinationsOf, type FlowSpec } from '../bpf/index.ts';
import { formatIp } from '../wire/index.ts';
import { type FlowEntry, FlowTable } from './flowTable.ts';

/**
 * Makes the table of whom received datagrams are for.
 *
 * @param flows - by destination
 * @throws TypeError when a destination has no flow, or a flow stands twice
 */
export function receivedFlows(flows: readonly (readonly FlowSpec[])[]): FlowTable {
  const entries = entriesOf(flows);
  const seen = new Set<string>();
  for (const [owner, own] of flows.entries()) {
    if (own.length === 0) throw new TypeError(`Cannot open gateway: destination ${owner + 1} has no flow`);
  }
  for (const entry of entries) {
    const key = `${entry.version} ${nameOf(entry)}`;
    if (seen.has(key)) throw new TypeError(`Cannot open gateway: flow ${nameOf(entry)} stands twice`);
    seen.add(key);
  }
  return new FlowTable(entries);
}

/**
 * Makes the table of whom datagrams that are sent are from, as far as one destination is concerned.
 *
 * A destination sends from its flows. A flow for any address, of a group or of everybody (255.255.255.255), sends from the
 * interface's addresses, but for those that are another's flow by name.
 *
 * @param owner - which destination
 * @param addresses - of the interface; any when undefined
 */
export function sentFlows(
  flows: readonly (readonly FlowSpec[])[],
  owner: number,
  addresses: readonly Uint8Array[] | undefined,
): FlowTable {
  const entries = entriesOf(flows);
  const named = entries.filter(({ address }) => address !== undefined && !isOfMany(address));
  const open = entries.filter((entry) => entry.owner === owner && !named.includes(entry));
  const from = (entry: FlowEntry): FlowEntry[] => {
    if (addresses === undefined) return [{ ...entry, address: undefined }];
    const own = addresses.filter((address) => address.length === (entry.version === 4 ? 4 : 16));
    return own.map((address) => ({ ...entry, address }));
  };
  return new FlowTable([...named, ...open.flatMap(from)]);
}

function entriesOf(flows: readonly (readonly FlowSpec[])[]): FlowEntry[] {
  return flows.flatMap((own, owner) => own.flatMap(destinationsOf).map((each) => ({ ...each, owner })));
}

/** Whether it is a group or everybody: no host sends from it. */
function isOfMany(address: Uint8Array): boolean {
  if (address.length === 16) return address[0] === 0xff;
  return address[0]! >> 4 === 0xe || address.every((byte) => byte === 255);
}

function nameOf({ port, address }: Destination): string {
  if (address === undefined) return `udp:${port}`;
  return address.length === 4 ? `udp:${formatIp(address)}:${port}` : `udp:[${formatIp(address)}]:${port}`;
}
