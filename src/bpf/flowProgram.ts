import { assembleFlows, FLOW_SOCKETS } from './flowAssembly.ts';
import { flowCountersSpec } from './flowCounters.ts';
import { asksDriver, type FlowMetadata } from './flowMetadata.ts';
import { destinationsOf, type FlowSpec } from './flowSpec.ts';
import type { MapSpec } from './map.ts';
import type { ProgramSpec } from './programSpec.ts';

/** What a flow program is generated from. */
export interface FlowProgramSpec {
  /** 1 to 64 of them; a frame of any is ours */
  readonly flows: readonly FlowSpec[];
  /** how many nicQueues the interface has: entries of the map of sockets */
  readonly queues: number;
  /** how many VLAN tags a frame of ours may carry; default 2 */
  readonly maxVlanTags?: 0 | 1 | 2;
  /** what is written before each frame of ours, see {@link METADATA_LEN}; nothing when absent */
  readonly metadata?: FlowMetadata;
  /** index of the interface; needed for metadata that its driver is asked for: all but the kernel's timestamp */
  readonly boundTo?: number;
  /** takes frames that lie in several buffers: needed where the mtu is too large for one; default false */
  readonly frags?: boolean;
}

const MAX_FLOWS = 64;

/**
 * Returns the XDP program that takes the wanted flows and leaves everything else to the kernel.
 *
 * A frame of ours goes to the AF_XDP socket that map {@link FLOW_SOCKETS} has for its nicQueue; where there is none, and
 * every other frame, to the kernel, as if we were not there. The program reads what it needs to tell ours and nothing
 * more: lengths and checksums are for the receiver to verify. What it does with
 *
 * - VLAN tags: walks over up to `maxVlanTags` of 802.1Q and 802.1ad, whatever their id.
 *   NB: most NICs take the outer tag off before XDP sees the frame; `ethtool -K IFACE rxvlan off` leaves it in;
 * - IPv4 options: walks over them;
 * - IPv4 fragments, also the first one of a datagram, which alone has ports: pass, the kernel puts them together;
 * - IPv6 extension headers: walks over up to {@link MAX_EXTENSIONS} hop-by-hop options, destination options, and routing
 *   headers that have no segments left; passes fragments, authentication, encryption, everything else;
 * - frames that end within these headers, or whose IP header is impossible: pass, the kernel counts them;
 * - frames in several buffers: headers beyond the first buffer are not seen, `truncated`; drivers put them in the first;
 * - frames for another MAC address (a promiscuous interface): not looked at, they are ours if the rest is.
 *
 * Each frame is counted once, under the {@link FlowOutcome} that it met.
 *
 * With `metadata`, {@link METADATA_LEN} bytes of it stand before each frame that goes to a socket. A driver that leaves no room
 * for it has them all counted as `noMetadata`.
 *
 * @throws RangeError or TypeError when a flow or number cannot be, or the driver is to be asked and `boundTo` is absent
 * @since Linux 5.3: a redirect that falls back to XDP_PASS
 */
export function flowProgramSpec(spec: FlowProgramSpec): ProgramSpec {
  const { flows, queues, maxVlanTags = 2, metadata, boundTo, frags } = spec;
  if (flows.length < 1 || flows.length > MAX_FLOWS) {
    throw new RangeError(`Cannot generate flow program: 1 to ${MAX_FLOWS} flows fit, got ${flows.length}`);
  }
  if (!Number.isInteger(queues) || queues < 1) {
    throw new RangeError(`Cannot generate flow program: queues must be 1 or more, got ${queues}`);
  }
  if (![0, 1, 2].includes(maxVlanTags)) {
    throw new RangeError(`Cannot generate flow program: maxVlanTags must be 0, 1 or 2, got ${maxVlanTags}`);
  }
  const bound = asksDriver(metadata);
  if (bound && boundTo === undefined) {
    throw new TypeError('Cannot generate flow program: metadata of the driver needs boundTo, its interface');
  }
  const sockets: MapSpec = { name: FLOW_SOCKETS, type: 'xskmap', keyLen: 4, valueLen: 4, capacity: queues };
  return {
    name: 'flow',
    type: 'xdp',
    assembly: assembleFlows(flows.flatMap(destinationsOf), maxVlanTags, metadata),
    maps: [sockets, flowCountersSpec],
    ...(frags ? { frags } : {}),
    // NB: only what is licensed under the GPL too may call functions of the kernel.
    ...(bound && boundTo !== undefined ? { boundTo, license: 'Dual MIT/GPL' } : {}),
  };
}
