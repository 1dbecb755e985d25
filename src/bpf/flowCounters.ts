import type { BpfMap, MapSpec } from './map.ts';

/**
 * What the flow program did with a frame, and why, in the order of its counters. The first three are about
 * frames of ours; all others went to the kernel because they are not, or because only the kernel should judge them.
 */
export const FLOW_OUTCOMES = [
  'redirected',
  'noSocket',
  'noMetadata',
  'notIp',
  'tooManyTags',
  'notUdp',
  'otherFlow',
  'fragment',
  'extension',
  'truncated',
  'malformed',
] as const;

/**
 * One outcome of the flow program for a frame:
 *
 * - `redirected` ours, handed to the AF_XDP socket of its nicQueue
 * - `noSocket` ours, but no socket is open on its nicQueue: passed to the kernel
 * - `noMetadata` ours, but there is no room before the frame for the metadata asked for: passed to the kernel
 * - `notIp` another EtherType: ARP, LLDP, …
 * - `tooManyTags` more VLAN tags than asked for
 * - `notUdp` IP, and another protocol than UDP
 * - `otherFlow` UDP to another port or address
 * - `fragment` an IP fragment, which may or may not be ours
 * - `extension` an IPv6 extension header that is not followed, or too many of them
 * - `truncated` the frame ends within the headers
 * - `malformed` an impossible IP version or header length
 */
export type FlowOutcome = (typeof FLOW_OUTCOMES)[number];

/** How many frames met each outcome since the program was loaded. [frames] */
export type FlowCounters = Record<FlowOutcome, number>;

/** The counters' map: one entry that holds a u64 for each outcome, on each CPU. */
export const flowCountersSpec: MapSpec = {
  name: 'flow_counters',
  type: 'percpu_array',
  keyLen: 4,
  valueLen: FLOW_OUTCOMES.length * 8,
  capacity: 1,
};

/** Reads the counters of a flow program, all CPUs together. Costs one system call. */
export function readFlowCounters(map: BpfMap): FlowCounters {
  const perCpu = map.lookup(0, new BigUint64Array(map.entryLen / 8))!;
  const totals = new Array<number>(FLOW_OUTCOMES.length).fill(0);
  for (const [i, count] of perCpu.entries()) totals[i % totals.length]! += Number(count);
  return Object.fromEntries(FLOW_OUTCOMES.map((outcome, i) => [outcome, totals[i]])) as FlowCounters;
}
