import { assembleFlows, FLOW_SOCKETS } from './flowAssembly.ts';
import { flowCountersSpec } from './flowCounters.ts';
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
 * - frames for another MAC address (a promiscuous interface): not looked at, they are ours if the rest is.
 *
 * Each frame is counted once, under the {@link FlowOutcome} that it met.
 *
 * @throws RangeError or TypeError when a flow or number cannot be
 * @since Linux 5.3: a redirect that falls back to XDP_PASS
 */
export function flowProgramSpec(spec: FlowProgramSpec): ProgramSpec {
  const { flows, queues, maxVlanTags = 2 } = spec;
  if (flows.length < 1 || flows.length > MAX_FLOWS) {
    throw new RangeError(`Cannot generate flow program: 1 to ${MAX_FLOWS} flows fit, got ${flows.length}`);
  }
  if (!Number.isInteger(queues) || queues < 1) {
    throw new RangeError(`Cannot generate flow program: queues must be 1 or more, got ${queues}`);
  }
  if (![0, 1, 2].includes(maxVlanTags)) {
    throw new RangeError(`Cannot generate flow program: maxVlanTags must be 0, 1 or 2, got ${maxVlanTags}`);
  }
  const sockets: MapSpec = { name: FLOW_SOCKETS, type: 'xskmap', keyLen: 4, valueLen: 4, capacity: queues };
  return {
    name: 'flow',
    type: 'xdp',
    assembly: assembleFlows(flows.flatMap(destinationsOf), maxVlanTags),
    maps: [sockets, flowCountersSpec],
  };
}
