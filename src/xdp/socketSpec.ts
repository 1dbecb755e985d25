import type { Umem } from './umem.ts';

/** What AF_XDP socket to open; plain data but for the umem. */
export interface XdpSocketSpec {
  /** its name, for messages */
  interface: string;
  ifindex: number;
  /** the nicQueue */
  queue: number;
  /** packet memory that no other socket uses */
  umem: Umem;
  /** rx ring, a power of two; default 2048 [descriptors] */
  rxSize?: number;
  /** tx ring and completion ring, a power of two; default 2048 [descriptors] */
  txSize?: number;
  /** fill ring, a power of two, at least twice the rx ring; default that [descriptors] */
  fillSize?: number;
  /** index of the umem among the regions of the port; stands in every descriptor; default 0 */
  region?: number;
  /** ask the kernel to say when it needs a system call; default true */
  needWakeup?: boolean;
}

/** Descriptors of an rx or a tx ring unless told. */
export const DEFAULT_RING_SIZE: number = 2048;
