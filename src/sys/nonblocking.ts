import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { F_GETFL, F_SETFL, O_NONBLOCK } from './uapi/index.ts';

/**
 * Has reads and writes of a descriptor return EAGAIN instead of blocking.
 *
 * NB: this belongs to the open file, which another process may have too, and undo it.
 *
 * @throws SystemError
 * @source F_SETFL(2const)
 */
export function setNonblocking(fd: number): void {
  const flags = check(
    libc.fcntl(fd, F_GETFL, 0),
    'Cannot read flags of descriptor',
    'fcntl(F_GETFL)',
    `${fd}`,
  );
  if ((flags & O_NONBLOCK) !== 0) return;
  check(
    libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK),
    'Cannot set flags of descriptor',
    'fcntl(F_SETFL)',
    `${fd}`,
  );
}
