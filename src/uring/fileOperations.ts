import {
  IORING_OP_CLOSE,
  IORING_OP_FSYNC,
  IORING_OP_NOP,
  IORING_OP_READ,
  IORING_OP_WRITE,
} from '../sys/uapi/index.ts';
import { prep, withOffset } from './entry.ts';
import type { Uring } from './ring.ts';

/** Does nothing, and completes. @hot */
export function prepNop(ring: Uring, lo: number, hi: number): number {
  return prep(ring, IORING_OP_NOP, -1, 0, 0, 0, lo, hi);
}

/** Reads up to `len` bytes of a file from `offset` on; -1 is where the file stands. @hot @source pread(2) */
export function prepRead(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  offset: number,
  lo: number,
  hi: number,
): number {
  return withOffset(ring, prep(ring, IORING_OP_READ, fd, ptr, len, 0, lo, hi), offset);
}

/** Writes `len` bytes to a file from `offset` on; -1 is where the file stands. @hot @source pwrite(2) */
export function prepWrite(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  offset: number,
  lo: number,
  hi: number,
): number {
  return withOffset(ring, prep(ring, IORING_OP_WRITE, fd, ptr, len, 0, lo, hi), offset);
}

/** Has a file written to its disk. @param flags - IORING_FSYNC_DATASYNC or 0 @hot @source fsync(2) */
export function prepFsync(ring: Uring, fd: number, flags: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_FSYNC, fd, 0, 0, flags, lo, hi);
}

/** Closes a descriptor. NB: what is under way on it goes on: cancel it first. @hot @source close(2) */
export function prepClose(ring: Uring, fd: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_CLOSE, fd, 0, 0, 0, lo, hi);
}
