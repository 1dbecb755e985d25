/**
 * tap: a network interface of the kernel whose cable ends in our hands.
 *
 * Job: make, or attach to, a tap interface; take from it the frames that the kernel sends, and give it frames to receive.
 *
 * Data: {@link Tap} is the interface: a descriptor of /dev/net/tun and what it was set to. {@link FrameFile} is packet
 * memory with the calls that move frames between it and a descriptor.
 *
 * Invariants
 * - A frame is one read(2) or write(2): nothing is shared with the kernel, every frame is copied, and costs a system call.
 * - The kernel's frames arrive finished: without IFF_VNET_HDR it computes checksums and cuts segments before it sends.
 * - A chunk is free or the application's: a frame that was written is the kernel's own copy.
 * - The interface goes with its descriptor, kill -9 included, unless it is a persistent one of somebody else.
 *
 * Not here: several nicQueues (IFF_MULTI_QUEUE), tun interfaces without Ethernet headers, answering ARP (`net/`).
 *
 * References: Documentation/networking/tuntap.rst; linux/if_tun.h; drivers/net/tun.c.
 */
export { FrameCounter, FrameFile, type FrameFileSpec } from './frameFile.ts';
export { Tap } from './tap.ts';
export type { TapSpec } from './tapSpec.ts';
