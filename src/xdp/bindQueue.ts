import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { netdevInfo, SystemError } from '../sys/index.ts';
import {
  AF_XDP,
  sockaddr_xdp,
  XDP_COPY,
  XDP_SHARED_UMEM,
  XDP_USE_NEED_WAKEUP,
  XDP_USE_SG,
  XDP_ZEROCOPY,
} from '../sys/uapi/index.ts';

/** How frames get from the driver into the umem: by the NIC itself, or by a copy in the kernel. */
export type XdpCopyMode = 'zerocopy' | 'copy';

/** What to bind to, and how. */
export interface BindRequest {
  readonly ifindex: number;
  /** the nicQueue */
  readonly queue: number;
  readonly mode: 'auto' | XdpCopyMode;
  readonly needWakeup: boolean;
  readonly multiBuffer: boolean;
  /** a bound socket on the same umem, whose mode and flags this one then has */
  readonly sharedWith?: number;
  /** for messages: `eth0 queue 0` */
  readonly subject: string;
}

const { EBADF, EBUSY } = constants.errno;
/** A queue that its last owner has just closed is let go by a kernel worker; waited for so long. [ms] */
const REBIND_MS = 200;
const pauseOneMs = new Uint32Array([0, 0, 1_000_000, 0]);
/** What the kernel or a driver answers when it has no zero-copy, or not as it is set up now. */
const NO_ZEROCOPY: ReadonlySet<string> = new Set([
  'EOPNOTSUPP',
  'EINVAL',
  'ENOENT',
  'ENOMEM',
  'ERANGE',
  'ENOSPC',
  'EPERM',
]);

/**
 * Binds a socket to one queue of an interface; `auto` tries zero-copy first.
 *
 * Waits a moment when the queue's last owner has only just closed.
 *
 * @returns why it is copy although zero-copy was tried; undefined when as asked
 * @throws SystemError EBUSY, EINVAL, ENODEV, ENETDOWN; EOPNOTSUPP when `zerocopy` was asked for by name
 * @source linux/if_xdp.h, struct sockaddr_xdp
 */
export function bindQueue(fd: number, request: BindRequest): string | undefined {
  if (request.sharedWith !== undefined) {
    bind(fd, request, XDP_SHARED_UMEM);
    return undefined;
  }
  const flags = (request.needWakeup ? XDP_USE_NEED_WAKEUP : 0) | (request.multiBuffer ? XDP_USE_SG : 0);
  if (request.mode === 'copy') {
    bind(fd, request, flags | XDP_COPY);
    return undefined;
  }
  try {
    bind(fd, request, flags | XDP_ZEROCOPY);
    return undefined;
  } catch (error) {
    if (request.mode === 'zerocopy' || !(error instanceof SystemError) || !NO_ZEROCOPY.has(error.code))
      throw error;
    bind(fd, request, flags | XDP_COPY);
    return `copy instead of zero-copy: ${whyNoZerocopy(request.ifindex) ?? error.message}`;
  }
}

function bind(fd: number, request: BindRequest, flags: number): void {
  const address = new DataView(new ArrayBuffer(sockaddr_xdp.sizeof));
  address.setUint16(sockaddr_xdp.sxdp_family, AF_XDP, true);
  address.setUint16(sockaddr_xdp.sxdp_flags, flags, true);
  address.setUint32(sockaddr_xdp.sxdp_ifindex, request.ifindex, true);
  address.setUint32(sockaddr_xdp.sxdp_queue_id, request.queue, true);
  address.setUint32(sockaddr_xdp.sxdp_shared_umem_fd, request.sharedWith ?? 0, true);
  for (let waitedMs = 0; libc.bind(fd, address, sockaddr_xdp.sizeof) < 0; waitedMs++) {
    const errno = libc.errno();
    if (errno !== EBUSY || waitedMs === REBIND_MS) {
      const how = (flags & XDP_ZEROCOPY) === 0 ? '' : ' in zero-copy mode';
      throw new SystemError(`Cannot bind AF_XDP socket${how} to`, {
        syscall: 'bind(AF_XDP)',
        subject: request.subject,
        errno,
        ...(errno === EBADF && { hint: 'Close the sockets on this umem whose interface is gone first' }),
      });
    }
    libc.nanosleep(pauseOneMs, null);
  }
}

/** What the driver says of itself, where the kernel asks it. */
function whyNoZerocopy(ifindex: number): string | undefined {
  const info = netdevInfo(ifindex);
  return info === undefined || info.xdpFeatures.has('xsk-zerocopy') ? undefined : 'the driver has none';
}
