import { libc } from '../ffi/index.ts';
import { SystemError } from '../sys/index.ts';
import { SYS_io_uring_register } from '../sys/uapi/index.ts';
import type { Uring } from './ring.ts';

/**
 * Registers what `memory` says with a ring.
 *
 * @param what - for the error: `files`
 * @throws SystemError
 * @source io_uring_register(2)
 */
export function register(
  ring: Uring,
  what: string,
  operation: number,
  memory: ArrayBufferView | null,
  count: number,
): void {
  if (libc.ioUringRegister(SYS_io_uring_register, ring.fd, operation, memory, count) >= 0) return;
  throw new SystemError('Cannot register with io_uring', { syscall: 'io_uring_register', subject: what });
}

/** Writes a native address, or a length, as the kernel reads it. [u64] */
export function writeU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
}
