import { addressOf } from '../ffi/index.ts';
import {
  IO_URING_OP_SUPPORTED,
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES_UPDATE,
  IORING_REGISTER_NAPI,
  IORING_REGISTER_PROBE,
  IORING_UNREGISTER_BUFFERS,
  IORING_UNREGISTER_EVENTFD,
  IORING_UNREGISTER_FILES,
  IORING_UNREGISTER_NAPI,
  io_uring_napi,
  io_uring_probe,
  io_uring_probe_op,
} from '../sys/uapi/index.ts';
import { register, writeU64 } from './register.ts';
import type { Uring } from './ring.ts';

/** A piece of memory for {@link registerBuffers}. */
export interface RegisteredBuffer {
  /** native address */
  readonly ptr: number;
  /** at most 1 GiB [bytes] */
  readonly len: number;
}

/** Busy polling of the NICs behind a ring's sockets. */
export interface UringNapi {
  /** how long a wait polls before it sleeps */
  readonly busyPollUs: number;
  /** keep the NIC's interrupts off meanwhile; default false */
  readonly prefer?: boolean;
}

const MAX_OPERATIONS = 256;
/** struct io_uring_files_update: offset, padding, address of the descriptors. */
const UPDATE_LEN = 16;
/** struct iovec: address and length. */
const IOVEC_LEN = 16;

/**
 * Asks which operations the kernel has, by their numbers: `IORING_OP_BIND` of `sys/uapi`.
 *
 * @source IORING_REGISTER_PROBE
 * @since Linux 5.6
 */
export function supportedOperations(ring: Uring): ReadonlySet<number> {
  const probe = new DataView(
    new ArrayBuffer(io_uring_probe.sizeof + MAX_OPERATIONS * io_uring_probe_op.sizeof),
  );
  register(ring, 'operations', IORING_REGISTER_PROBE, probe, MAX_OPERATIONS);
  const found = new Set<number>();
  for (let i = 0; i < probe.getUint8(io_uring_probe.ops_len); i++) {
    const at = io_uring_probe.ops + i * io_uring_probe_op.sizeof;
    const supported = probe.getUint16(at + io_uring_probe_op.flags, true) & IO_URING_OP_SUPPORTED;
    if (supported !== 0) found.add(probe.getUint8(at + io_uring_probe_op.op));
  }
  return found;
}

/**
 * Gives the ring descriptors to hold, which entries then name by their place, with `EntryFlags.fixedFile`.
 *
 * @param fds - -1 leaves a place empty
 * @throws SystemError EBUSY when there are some, EBADF
 */
export function registerFiles(ring: Uring, fds: readonly number[]): void {
  register(ring, 'files', IORING_REGISTER_FILES, Int32Array.from(fds), fds.length);
}

/** Puts another descriptor, or -1 for none, at a place of the registered files. @throws SystemError EINVAL, EBADF */
export function replaceFile(ring: Uring, place: number, fd: number): void {
  // With the descriptor behind it, so that both live until the kernel has answered.
  const update = new DataView(new ArrayBuffer(UPDATE_LEN + 4));
  update.setUint32(0, place, true);
  writeU64(update, 8, addressOf(update) + UPDATE_LEN);
  update.setInt32(UPDATE_LEN, fd, true);
  register(ring, `file ${place}`, IORING_REGISTER_FILES_UPDATE, update, 1);
}

/** Has the ring let go of its files. @throws SystemError ENXIO when there are none */
export function unregisterFiles(ring: Uring): void {
  register(ring, 'files', IORING_UNREGISTER_FILES, null, 0);
}

/**
 * Pins memory for the ring's reads and writes, so that it is not mapped anew for each.
 *
 * Counts against the locked-memory limit.
 *
 * @throws SystemError ENOMEM beyond the limit, EBUSY when there are some, EFAULT
 */
export function registerBuffers(ring: Uring, buffers: readonly RegisteredBuffer[]): void {
  const iovecs = new DataView(new ArrayBuffer(buffers.length * IOVEC_LEN));
  for (const [i, { ptr, len }] of buffers.entries()) {
    writeU64(iovecs, i * IOVEC_LEN, ptr);
    writeU64(iovecs, i * IOVEC_LEN + 8, len);
  }
  register(ring, 'buffers', IORING_REGISTER_BUFFERS, iovecs, buffers.length);
}

/** Lets the ring's pinned memory go. @throws SystemError ENXIO when there is none */
export function unregisterBuffers(ring: Uring): void {
  register(ring, 'buffers', IORING_UNREGISTER_BUFFERS, null, 0);
}

/** Has the kernel signal an eventfd for every completion, or not any more. @param fd - undefined for none */
export function registerEventfd(ring: Uring, fd: number | undefined): void {
  if (fd === undefined) {
    register(ring, 'eventfd', IORING_UNREGISTER_EVENTFD, null, 0);
    return;
  }
  register(ring, 'eventfd', IORING_REGISTER_EVENTFD, Int32Array.of(fd), 1);
}

/** Has waits poll the NICs behind the ring's sockets first, or not any more. @since Linux 6.9 */
export function registerNapi(ring: Uring, napi: UringNapi | undefined): void {
  const request = new DataView(new ArrayBuffer(io_uring_napi.sizeof));
  if (napi !== undefined) {
    request.setUint32(io_uring_napi.busy_poll_to, napi.busyPollUs, true);
    request.setUint8(io_uring_napi.prefer_busy_poll, napi.prefer ? 1 : 0);
  }
  const operation = napi === undefined ? IORING_UNREGISTER_NAPI : IORING_REGISTER_NAPI;
  register(ring, 'NAPI busy polling', operation, request, 1);
}
