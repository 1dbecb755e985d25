import { statfsSync } from 'node:fs';
import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  HUGETLBFS_MAGIC,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from './uapi/index.ts';

/**
 * Creates a memfd of `len` zero bytes for sharing with a process that is not trusted: its length is final, so that
 * nobody's mapping of it can lose its pages.
 *
 * @param name - for /proc/PID/maps
 * @throws SystemError
 * @source memfd_create(2), F_ADD_SEALS(2const)
 */
export function createSealedMemfd(name: string, len: number): Fd {
  const number = libc.memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(number, 'Cannot create memfd', 'memfd_create', name);
  using cleanup = new DisposableStack();
  const fd = cleanup.use(new Fd(number, `memfd ${name}`));
  check(libc.ftruncate(fd.fd, len), 'Cannot size memfd', 'ftruncate', name);
  // NB: the last seal keeps a peer from adding others, such as one against writing, which would bar the next peer.
  const seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  check(libc.fcntl(fd.fd, F_ADD_SEALS, seals), 'Cannot seal memfd', 'fcntl(F_ADD_SEALS)', name);
  cleanup.move();
  return fd;
}

/**
 * Makes sure that a file which somebody else may truncate stays as long as it is: a read of mapped memory behind a
 * file's end kills the process by SIGBUS. A memfd that is open for sealing is sealed.
 *
 * Look at the file's length afterwards, not before.
 *
 * @returns undefined when it is sure, otherwise why not: `memory not sealed against shrinking`
 * @source F_GET_SEALS(2const), F_ADD_SEALS(2const)
 */
export function sealAgainstShrinking(fd: number): string | undefined {
  const seals = libc.fcntl(fd, F_GET_SEALS, 0);
  if (seals < 0) return 'memory is no memfd';
  // NB: a seal does not keep a peer from punching holes. Holes fill with zeros on touch, but huge pages may have run
  // out by then, and that is a SIGBUS too.
  if (isHugetlb(fd)) return 'memory on huge pages';
  if ((seals & F_SEAL_SHRINK) !== 0) return undefined;
  return libc.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) === 0 ? undefined : 'memory not sealed against shrinking';
}

function isHugetlb(fd: number): boolean {
  return statfsSync(`/proc/self/fd/${fd}`).type === HUGETLBFS_MAGIC;
}
