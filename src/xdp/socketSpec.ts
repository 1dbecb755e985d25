import type { XdpCopyMode } from './bindQueue.ts';
import type { RxClock } from './rxMetadata.ts';
import type { Umem } from './umem.ts';

/** What AF_XDP socket to open; plain data but for the umem. */
export interface XdpSocketSpec {
  /** its name, for messages */
  interface: string;
  ifindex: number;
  /** the nicQueue */
  queue: number;
  /**
   * packet memory; a `shared` one may have other sockets, on any nicQueue of any interface. They all run in the mode
   * of the first, and those on the same nicQueue use its fill and completion ring; chunks that are on these when a
   * socket closes come back with the last one of the nicQueue.
   */
  umem: Umem;
  /** `auto` tries zero-copy and falls back to copy, which {@link XdpSocket.reasons} tells; default `auto` */
  mode?: 'auto' | XdpCopyMode;
  /** throw instead of falling back; default false */
  strict?: boolean;
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
  /** frames may lie over several chunks; default false. @since Linux 6.6 */
  multiBuffer?: boolean;
  /** the XDP program writes metadata before each frame: read it, with the time by this clock; default not */
  metadata?: RxClock;
  /** leave sent frames for {@link XdpSocket.completed}; default false */
  keepCompletions?: boolean;
}

/** Descriptors of an rx or a tx ring unless told. */
export const DEFAULT_RING_SIZE: number = 2048;
