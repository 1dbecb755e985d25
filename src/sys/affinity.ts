import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';

/** Cores that a mask has room for, as many as the C library's cpu_set_t. */
const MASK_CORES = 1024;

/** Reads the kernel's notation for a set of cores, `0-3,7`. */
export function parseCores(text: string): number[] {
  const parts = text.trim().split(',');
  return parts.flatMap((part) => {
    const [first = '', last = first] = part.split('-');
    if (!/^\d+$/.test(first) || !/^\d+$/.test(last)) return [];
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
  });
}

/**
 * Returns the cores that a thread may run on, in order.
 *
 * @param tid - the kernel's number of a thread; the calling thread when absent
 * @throws SystemError ESRCH when there is no such thread
 */
export function allowedCores(tid = 0): number[] {
  const mask = new Uint8Array(MASK_CORES / 8);
  const result = libc.schedGetaffinity(tid, mask.length, mask);
  check(result, 'Cannot read affinity of', 'sched_getaffinity', nameOf(tid));
  const cores = Array.from({ length: MASK_CORES }, (_, core) => core);
  return cores.filter((core) => ((mask[core >>> 3]! >>> (core & 7)) & 1) === 1);
}

/**
 * Restricts a thread to some cores.
 *
 * @param tid - the kernel's number of a thread; 0 for the calling thread
 * @throws SystemError EINVAL when this host or its cpuset has none of them, ESRCH when there is no such thread
 */
export function setAllowedCores(tid: number, cores: readonly number[]): void {
  const mask = new Uint8Array(MASK_CORES / 8);
  for (const core of cores) {
    if (!Number.isInteger(core) || core < 0 || core >= MASK_CORES) {
      throw new RangeError(`Cannot use core: want 0 to ${MASK_CORES - 1}, got ${core}`);
    }
    mask[core >>> 3]! |= 1 << (core & 7);
  }
  const result = libc.schedSetaffinity(tid, mask.length, mask);
  check(
    result,
    `Cannot move ${nameOf(tid)} to`,
    'sched_setaffinity',
    `${cores.length === 1 ? 'core' : 'cores'} ${cores.join(', ')}`,
  );
}

/**
 * Binds the calling thread to one core and makes sure that it is there.
 *
 * @throws SystemError EINVAL when the core is missing, or the host's cpuset withholds it
 */
export function pinThread(core: number): void {
  setAllowedCores(0, [core]);
  const now = allowedCores();
  if (now.length !== 1 || now[0] !== core) {
    throw new SystemError('Cannot pin thread to', {
      syscall: 'sched_setaffinity',
      subject: `core ${core}`,
      errno: constants.errno.EINVAL,
    });
  }
}

/** Returns the cores that the kernel's own scheduler leaves alone (isolcpus), in order. */
export function isolatedCores(): number[] {
  return parseCores(readFileSync('/sys/devices/system/cpu/isolated', 'utf8'));
}

function nameOf(tid: number): string {
  return tid === 0 ? 'thread' : `thread ${tid}`;
}
