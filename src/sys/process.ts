import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { PR_SET_PDEATHSIG } from './uapi/index.ts';

/**
 * Has the kernel kill this process when its parent ends, however that ends.
 *
 * NB: the parent is the *thread* that started this process: a process started by a worker dies with that worker.
 *
 * @param parent - process id of the parent; that of the launcher of `bin/`, if it started us, when absent
 * @returns false when there is no parent to follow, and nothing was done
 * @source PR_SET_PDEATHSIG(2const)
 */
export function dieWithParent(parent: number = launcher()): boolean {
  if (!Number.isInteger(parent) || parent <= 0) return false;
  const result = libc.prctl(PR_SET_PDEATHSIG, constants.signals.SIGKILL);
  check(result, 'Cannot follow parent process', 'prctl(PR_SET_PDEATHSIG)', `${parent}`);
  // It may have ended before the kernel knew that we care; then somebody else is our parent now.
  if (libc.getppid() !== parent) process.kill(process.pid, 'SIGKILL');
  return true;
}

/** The launcher that stands in for this process, as it says in the environment; children of ours have another parent. */
function launcher(): number {
  const value = Number(process.env.BAREWIRE_LAUNCHER ?? 0);
  delete process.env.BAREWIRE_LAUNCHER;
  return value;
}
