import { checkedField } from './bytes.ts';
import { formatIp, parseIp } from './ipAddress.ts';
import { toeplitzHash } from './toeplitz.ts';

/** What a NIC may hash of a UDP datagram. */
export type RssField = 'sourceAddress' | 'destinationAddress' | 'sourcePort' | 'destinationPort';

/** What is known of a flow; what is hashed must be. Both addresses are of one IP version. */
export interface RssFlow {
  /** as text or as its 4 or 16 bytes */
  readonly sourceAddress?: string | Uint8Array | undefined;
  /** as text or as its 4 or 16 bytes */
  readonly destinationAddress?: string | Uint8Array | undefined;
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
}

/** How a NIC hashes a flow and what it does with the hash. */
export interface RssSettings {
  readonly key: Uint8Array;
  /** the nicQueue for each value of hash modulo length */
  readonly table: ArrayLike<number>;
  readonly fields: readonly RssField[];
  /** what makes both directions of a flow hash alike; undefined for nothing */
  readonly symmetry?: 'xor' | 'or-xor' | undefined;
}

/** Where a flow lands. */
export interface RssAnswer {
  /** the nicQueue */
  readonly queue: number;
  /** [u32] */
  readonly hash: number;
}

/** The fields in the order in which they are hashed, each with the one that symmetry mixes it with. */
const ORDER: readonly (readonly [field: RssField, partner: RssField])[] = [
  ['sourceAddress', 'destinationAddress'],
  ['destinationAddress', 'sourceAddress'],
  ['sourcePort', 'destinationPort'],
  ['destinationPort', 'sourcePort'],
];

/**
 * Returns the bytes of a flow that a NIC hashes: source address, destination address, source port, destination port, of
 * which those in `fields`, in network order.
 *
 * @throws TypeError when the flow lacks one of them, or its addresses are of two IP versions
 * @source Microsoft, "RSS hashing types"; linux/ethtool.h, RXH_XFRM_SYM_XOR and RXH_XFRM_SYM_OR_XOR
 */
export function rssInput(
  flow: RssFlow,
  { fields, symmetry }: Pick<RssSettings, 'fields' | 'symmetry'>,
): Uint8Array {
  assertOneVersion(flow);
  const parts = ORDER.filter(([field]) => fields.includes(field)).map(([field, partner]) => {
    const own = bytesOf(flow, field);
    if (symmetry === undefined) return own;
    const other = bytesOf(flow, partner);
    const or = symmetry === 'or-xor' && field.startsWith('source');
    return own.map((byte, at) => (or ? byte | other[at]! : byte ^ other[at]!));
  });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/**
 * Returns the nicQueue that a NIC with these settings puts a flow on, and the hash that says so.
 *
 * It knows nothing of what goes before hashing in a NIC: rules that steer flows, or fragments, which have no ports.
 *
 * @throws TypeError when the flow lacks a field that is hashed
 * @throws RangeError when the table is empty or the key too short
 */
export function rssQueue(settings: RssSettings, flow: RssFlow): RssAnswer {
  if (settings.table.length === 0) throw new RangeError('Cannot choose nicQueue: the table is empty');
  const hash = toeplitzHash(settings.key, rssInput(flow, settings));
  return { queue: settings.table[hash % settings.table.length]!, hash };
}

function assertOneVersion(flow: RssFlow): void {
  if (flow.sourceAddress === undefined || flow.destinationAddress === undefined) return;
  const source = bytesOf(flow, 'sourceAddress');
  const destination = bytesOf(flow, 'destinationAddress');
  if (source.length === destination.length) return;
  throw new TypeError(
    `Cannot hash flow from ${formatIp(source)} to ${formatIp(destination)}: want one IP version`,
  );
}

function bytesOf(flow: RssFlow, field: RssField): Uint8Array {
  const value = flow[field];
  if (value === undefined) throw new TypeError(`Cannot hash flow: its ${field} is hashed and must be known`);
  if (typeof value !== 'number') return typeof value === 'string' ? parseIp(value) : value;
  checkedField(field, value, 16);
  return Uint8Array.of(value >>> 8, value);
}
