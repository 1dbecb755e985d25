/**
 * L2: AF_PACKET, frames through rings that the kernel's network stack fills and empties.
 *
 * Job: the fallback where XDP is impossible. Open a packet socket on an interface, map its rx and tx ring, and move
 * bursts through them. Each frame is copied once by the kernel into its slot, read there in place, and processed by the
 * kernel as well: it may answer what we answer.
 *
 * Data: one region: the slots of the rx ring, those of the tx ring, and chunks of our own for frames to send. A slot
 * begins with a struct tpacket2_hdr, whose status word says whose the slot is. `PacketRings` moves bursts through any
 * memory of that layout; a `PacketSocket` is `PacketRings` on an interface, with the system calls.
 *
 * Invariants
 * - A received frame stays in its slot until it is recycled or sent; slots go back in any order. The kernel fills them in
 *   order, and stops at one that we still hold.
 * - The tx ring is sent in order, so tx() copies into the next slot, and the frame's own chunk is free at once.
 * - A frame that did not fit into its slot is counted, and not handed out in part.
 * - Nothing is received before filter, rings and interface are set: the socket has no protocol until it is bound.
 *
 * Not here: what is in the frames (`wire/`), the shape shared by all backends (`port/`), waiting for frames (`lane/`).
 *
 * References: packet(7); linux/if_packet.h; Documentation/networking/packet_mmap.rst, filter.rst; net/packet/af_packet.c.
 */
export type { UdpDestination } from './flowFilter.ts';
export type { PacketLayout, PacketLayoutSpec } from './layout.ts';
export { packetLayout } from './layout.ts';
export { PacketRings } from './packetRings.ts';
export { PacketSocket } from './socket.ts';
export type { PacketSocketSpec } from './socketSpec.ts';
export type { PacketStatistics } from './statistics.ts';
export { PacketCounter } from './statistics.ts';
