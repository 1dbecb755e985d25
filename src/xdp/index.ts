/**
 * L2: AF_XDP, frames between the driver and our memory without a system call per frame.
 *
 * Job: register packet memory, open and bind sockets, drive their four rings, and attach the program that redirects a
 * flow to them.
 *
 * Data: a `Umem` is chunks; the fill ring lends them to the kernel, the rx ring brings them back with frames, the tx ring
 * hands frames over, the completion ring returns their chunks. An `XdpSocket` is the four rings on one nicQueue. An
 * `XdpInterface` is a socket per nicQueue, the redirect program and its link.
 *
 * Invariants
 * - Every chunk has one owner: free, fill, application, tx or completion; a debug ledger proves it.
 * - One acquire load and one release store per ring and burst; a system call only when the kernel asks for one.
 * - What is not ours passes to the kernel as if we were not there; a queue without a socket passes everything.
 * - Attached by bpf_link: with the process everything is gone, kill -9 included.
 *
 * Not here: parsing (`wire/`), the shape shared by all backends (`port/`), zero-copy, shared umem and multi-buffer.
 *
 * References: linux/if_xdp.h; Documentation/networking/af_xdp.rst; net/xdp/xsk.c.
 */
export type { UnopenedQueue, XdpInterfaceSpec } from './interface.ts';
export { XdpInterface } from './interface.ts';
export { XdpSocket } from './socket.ts';
export type { XdpSocketSpec } from './socketSpec.ts';
export type { XdpStatistics } from './statistics.ts';
export { XdpCounter } from './statistics.ts';
export type { ChunkLen, UmemSpec } from './umem.ts';
export { Umem, XDP_PACKET_HEADROOM } from './umem.ts';
