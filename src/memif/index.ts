/**
 * memif: frames between processes through memory that they share, with no kernel in the data path.
 *
 * Job: memif 2.0, as client and as server, to programs such as DPDK, VPP and this one: {@link MemifInterface}.
 *
 * Data: a {@link MemifEndpoint} has at most one {@link MemifConnection}: regions of memory, and rings in them, pairs of
 * one from client to server and one back. The client makes all of it and hands it over as descriptors.
 * `ClientQueue` and `ServerQueue` are the two ends of such a pair; {@link PacketMemory} is where frames are.
 *
 * Invariants
 * - A peer is another program with its hands in our memory: all that it says is read once and checked before use, and
 *   memory that it could shrink under our feet is refused.
 * - Nothing blocks and nothing throws for what a peer does; a lie costs it the connection, counted by reason.
 * - What came with a connection (descriptors, mappings) ends with it.
 *
 * References: memif.h and memif_socket.c of DPDK (drivers/net/memif), memif_protocol.rst of VPP's libmemif.
 */
export type { MemifClientSpec } from './client.ts';
export { MemifClient } from './client.ts';
export type { MemifConnection, MemifEndpoint, MemifRingPlace, MemifStatistics } from './connection.ts';
export { MEMIF_COUNTERS, MemifCounter } from './counters.ts';
export type { EndpointSpec } from './endpoint.ts';
export { MemifInterface } from './interface.ts';
export type { MemifInterfaceSpec } from './interfaceSpec.ts';
export type { SharedPackets } from './lentMemory.ts';
export type { PacketMemorySpec } from './packetMemory.ts';
export { PacketMemory } from './packetMemory.ts';
export type { MemifServerSpec } from './server.ts';
export { MemifServer } from './server.ts';
