/**
 * operate (L5): what whoever runs Barewire on a machine needs.
 *
 * - {@link Gateway}: flows that arrive on one port go to other ports, each to its own; what these send goes back out as
 *   far as it is from their flows. {@link startGateway} runs one on a lane. A process without any privilege gets the
 *   packets of an interface from one that has it, over shared memory (`memif:`).
 *
 * Data: a {@link FlowTable} of typed arrays says whose a datagram is; for each destination two {@link Outlet}s, one to its
 * port and one back, each with a burst of copies that is empty after every poll.
 *
 * Invariants
 * - Every frame received on any port is sent on or counted under a reason, per destination.
 * - A frame is copied into memory of the port that sends it. No destination holds a chunk of another, or of the port that
 *   flows come from; one that takes nothing costs only what is meant for it, and never makes the others wait.
 * - What a destination sends is judged by the copy, since the destination can still write the original.
 *
 * Not here: which datagrams leave the kernel's network stack (`bpf/`, `xdp/`); ARP and neighbour discovery, which the
 * kernel answers as it did; sockets, permissions and secrets of a `memif:` port (`memif/`); more than one thread.
 *
 * References: docs/gateway.md; RFC 768; the memif protocol of VPP, docs/memif.md.
 */

export { type FlowEntry, FlowTable } from './flowTable.ts';
export {
  Gateway,
  type GatewayOut,
  type GatewayReading,
  type GatewayRoute,
  type GatewaySpec,
} from './gateway.ts';
export type { DestinationReading, DirectionReading } from './gatewayDestination.ts';
export { parseFlow } from './parseFlow.ts';
export { type RunningGateway, type StartGatewaySpec, startGateway } from './startGateway.ts';
