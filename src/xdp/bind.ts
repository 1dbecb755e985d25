import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { Fd, SystemError } from '../sys/index.ts';
import {
  AF_XDP,
  SO_ERROR,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  SOL_XDP,
  XDP_MAX_TX_SKB_BUDGET,
  XDP_OPTIONS,
  XDP_OPTIONS_ZEROCOPY,
  XDP_UMEM_REG,
  XDP_UMEM_TX_METADATA_LEN,
  XDP_UMEM_UNALIGNED_CHUNK_FLAG,
  xdp_umem_reg,
} from '../sys/uapi/index.ts';
import type { Umem } from './umem.ts';

const { EINVAL } = constants.errno;

/** Opens an AF_XDP socket. @throws SystemError EPERM without CAP_NET_RAW, EAFNOSUPPORT without CONFIG_XDP_SOCKETS */
export function openXdpFd(subject: string): Fd {
  const fd = libc.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemError('Cannot open AF_XDP socket for', { syscall: 'socket(AF_XDP)', subject });
  return new Fd(fd, `AF_XDP socket of ${subject}`);
}

/**
 * Registers packet memory with a socket that is not bound yet, and says in `umem.txMetadata` who is to see to the
 * metadata of sent frames: ourselves, where the kernel refuses that and not `strict`.
 *
 * @throws SystemError
 */
export function registerUmem(fd: number, umem: Umem, subject: string, strict: boolean): void {
  const wanted = umem.txMetadataLen;
  if (register(fd, umem, wanted) >= 0) {
    umem.txMetadata = wanted > 0 ? 'kernel' : 'none';
    return;
  }
  const errno = libc.errno();
  // Kernels without transmit metadata know no flag for it; whatever else is wrong is wrong without it as well.
  const refused = wanted > 0 && errno === EINVAL;
  if (refused && !strict && register(fd, umem, 0) >= 0) {
    umem.txMetadata = 'software';
    return;
  }
  throw new SystemError(`Cannot register umem of ${umem.chunkCount} chunks of ${umem.chunkLen} bytes for`, {
    syscall: 'setsockopt(XDP_UMEM_REG)',
    errno,
    subject,
    ...(refused &&
      strict && { hint: 'Transmit metadata needs a newer kernel; without strict it is done in software' }),
  });
}

/** @source linux/if_xdp.h, struct xdp_umem_reg */
function register(fd: number, umem: Umem, txMetadataLen: number): number {
  const request = new DataView(new ArrayBuffer(xdp_umem_reg.sizeof));
  request.setBigUint64(xdp_umem_reg.addr, BigInt(umem.region.ptr), true);
  request.setBigUint64(xdp_umem_reg.len, BigInt(umem.len), true);
  request.setUint32(xdp_umem_reg.chunk_size, umem.chunkLen, true);
  request.setUint32(xdp_umem_reg.headroom, umem.headroom, true);
  const flags =
    (umem.unaligned ? XDP_UMEM_UNALIGNED_CHUNK_FLAG : 0) | (txMetadataLen > 0 ? XDP_UMEM_TX_METADATA_LEN : 0);
  request.setUint32(xdp_umem_reg.flags, flags, true);
  request.setUint32(xdp_umem_reg.tx_metadata_len, txMetadataLen, true);
  return libc.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, request, xdp_umem_reg.sizeof);
}

/** Reads back what the kernel made of the bind. @source linux/if_xdp.h, XDP_OPTIONS */
export function effectiveMode(fd: number): 'zerocopy' | 'copy' {
  const options = new Uint32Array(1);
  const len = new Uint32Array([4]);
  if (libc.getsockopt(fd, SOL_XDP, XDP_OPTIONS, options, len) < 0) return 'copy';
  return (options[0]! & XDP_OPTIONS_ZEROCOPY) !== 0 ? 'zerocopy' : 'copy';
}

/**
 * Makes room for frames on their way through the kernel: in copy mode each counts against the socket's send buffer.
 *
 * @returns bytes that the kernel granted
 */
export function sizeSendBuffer(fd: number, len: number): number {
  const value = new Int32Array([len]);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, value, 4) < 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, 4);
  }
  libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, new Uint32Array([4]));
  return value[0]!;
}

/** What the kernel sends per wake-up in copy mode unless told otherwise. @source net/xdp/xsk.c, TX_BATCH_SIZE */
const DEFAULT_TX_BUDGET = 32;

/**
 * Raises how many frames one wake-up sends in copy mode.
 *
 * @returns what is in force: `frames`, or the fixed 32 of kernels before Linux 6.17
 */
export function setTxBudget(fd: number, frames: number): number {
  const value = new Uint32Array([frames]);
  const granted = libc.setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, value, 4) === 0;
  return granted ? frames : DEFAULT_TX_BUDGET;
}

const socketError = new Int32Array(1);
const socketErrorLen = new Uint32Array([4]);

/** Returns and clears the socket's pending error: ENETDOWN when its interface went away, 0 when all is well. [errno] */
export function takeSocketError(fd: number): number {
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, socketError, socketErrorLen);
  return socketError[0]!;
}
