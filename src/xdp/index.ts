/**
 * L2: AF_XDP, frames between the driver and our memory without a system call per frame.
 *
 * Job: register packet memory, open and bind sockets, drive their four rings, and attach the program that redirects a
 * flow to them.
 *
 * Data: a `Umem` is chunks; the fill ring lends them to the kernel, the rx ring brings them back with frames, the tx ring
 * hands frames over, the completion ring returns their chunks. `FrameRings` moves bursts through these four, in any
 * memory; an `XdpSocket` is `FrameRings` on one nicQueue, with the system calls. An `XdpInterface` is a socket per
 * nicQueue, the redirect program and its link; an `XdpGroup` is the program alone, for sockets of several lanes.
 *
 * Invariants
 * - Every chunk has one owner: free, fill, application, tx or completion; a debug ledger proves it. A shared umem knows
 *   on whose rings a chunk is, and has it back when that socket closes.
 * - One acquire load and one release store per ring and burst; a system call only when the kernel asks for one.
 * - A frame over several chunks is received in one burst, and sent whole or not at all.
 * - What is not ours passes to the kernel as if we were not there; a queue without a socket passes everything.
 * - Attached by bpf_link: with the process everything is gone, kill -9 included.
 *
 * Not here: parsing (`wire/`), the shape shared by all backends (`port/`), waiting for frames (`lane/`, `sys/`).
 *
 * References: linux/if_xdp.h; Documentation/networking/af_xdp.rst, xdp-rx-metadata.rst, xsk-tx-metadata.rst;
 * net/xdp/xsk.c.
 */
export type { XdpCopyMode } from './bindQueue.ts';
export type { FlowQueue, FlowQueueSpec } from './flowQueue.ts';
export { flowQueue } from './flowQueue.ts';
export type { FrameRingsOptions } from './frameRings.ts';
export { FrameRings } from './frameRings.ts';
export { XdpGroup } from './group.ts';
export { XdpInterface } from './interface.ts';
export type { UnopenedQueue, XdpInterfaceSpec, XdpProgramSpec } from './interfaceSpec.ts';
export type { RingMemory, RingSet } from './ring.ts';
export { ADDR_WORDS, ConsumerRing, DESC_WORDS, FillRing, ProducerRing } from './ring.ts';
export type { RxClock } from './rxMetadata.ts';
export { XdpSocket } from './socket.ts';
export { DEFAULT_RING_SIZE, type XdpSocketSpec } from './socketSpec.ts';
export type { XdpStatistics } from './statistics.ts';
export { XdpCounter } from './statistics.ts';
export { TxMetadata } from './txMetadata.ts';
export type { UmemSpec } from './umem.ts';
export { Umem, XDP_PACKET_HEADROOM } from './umem.ts';
