import { constants } from 'node:os';
import { addressOf, libc } from '../ffi/index.ts';
import { Fd, SystemError, UnsupportedError } from '../sys/index.ts';
import {
  IORING_FEAT_SINGLE_MMAP,
  IORING_SETUP_CLAMP,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_SUBMIT_ALL,
  IORING_SETUP_TASKRUN_FLAG,
  io_uring_params,
  SYS_io_uring_setup,
} from '../sys/uapi/index.ts';

/** How a ring does the work that completes operations; the first is the cheapest, the last runs on every kernel. */
export type TaskRun = 'deferred' | 'cooperative' | 'interrupting';

/** How to set a ring up. */
export interface UringSetup {
  /** most entries that wait to be submitted, rounded up to a power of two; default 256 */
  readonly entries?: number;
  /** completions that find room before the kernel has to keep them, rounded up to a power of two; default twice the entries */
  readonly completions?: number;
  /** when completions are worked on: `deferred` while the ring is entered; default the first that the kernel has */
  readonly taskRun?: TaskRun;
  /** let a kernel thread submit, which spins on a core for so long after the last entry; default none [ms] */
  readonly sqPollIdleMs?: number;
  /** refuse instead of running weaker than asked; default false */
  readonly strict?: boolean;
}

/** What the kernel made of it. */
export interface MadeRing {
  readonly fd: Fd;
  /** struct io_uring_params as the kernel filled it in */
  readonly params: DataView;
  readonly taskRun: TaskRun;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
}

const LADDER: readonly (readonly [TaskRun, number])[] = [
  ['deferred', IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG],
  ['cooperative', IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG],
  ['interrupting', 0],
];

/** Largest ring that the kernel makes without IORING_SETUP_CLAMP. */
const MAX_ENTRIES = 32_768;
const { EINVAL, ENOSYS, EPERM } = constants.errno;

/**
 * Asks the kernel for a ring, from the cheapest way to run down to the first that it has.
 *
 * @throws RangeError when a number is none
 * @throws UnsupportedError when this kernel, or a filter in front of it, has no io_uring
 * @throws SystemError EPERM when a sysctl forbids it, ENOMEM, EMFILE
 * @source io_uring_setup(2)
 */
export function makeRing(setup: UringSetup): MadeRing {
  const { entries = 256, completions, taskRun, sqPollIdleMs, strict = false } = setup;
  checkCount('entries', entries, MAX_ENTRIES);
  if (completions !== undefined) checkCount('completions', completions, 2 * MAX_ENTRIES);
  const rungs = LADDER.slice(LADDER.findIndex(([name]) => taskRun === undefined || name === taskRun));
  const reasons: string[] = [];
  for (const [name, flags] of sqPollIdleMs === undefined ? rungs : LADDER.slice(-1)) {
    const params = new DataView(new ArrayBuffer(io_uring_params.sizeof));
    const poll = sqPollIdleMs === undefined ? 0 : IORING_SETUP_SQPOLL;
    const size = completions === undefined ? 0 : IORING_SETUP_CQSIZE;
    params.setUint32(
      io_uring_params.flags,
      flags | poll | size | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL,
      true,
    );
    params.setUint32(io_uring_params.cq_entries, completions ?? 0, true);
    params.setUint32(io_uring_params.sq_thread_idle, sqPollIdleMs ?? 0, true);
    const fd = setUp(entries, params);
    if (fd >= 0) return { fd: checkFeatures(new Fd(fd, 'io_uring'), params), params, taskRun: name, reasons };
    if (-fd !== EINVAL) throw refusal(-fd);
    if (strict) throw new UnsupportedError(`io_uring with completions ${name}`, SINCE[name]);
    reasons.push(`completions are not ${name}: this kernel lacks it (${SINCE[name]} has it)`);
  }
  throw refusal(EINVAL);
}

const SINCE: Readonly<Record<TaskRun, string>> = {
  deferred: 'Linux 6.1',
  cooperative: 'Linux 5.19',
  interrupting: 'Linux 5.18',
};

/** @returns the ring's descriptor, or a negative errno */
function setUp(entries: number, params: DataView): number {
  const fd = libc.syscall(SYS_io_uring_setup, entries, addressOf(params), 0, 0, 0, 0);
  return fd < 0 ? -libc.errno() : fd;
}

/** Linux 5.4 and later put both rings into one mapping; what is older is refused. */
function checkFeatures(fd: Fd, params: DataView): Fd {
  const features = params.getUint32(io_uring_params.features, true);
  if ((features & IORING_FEAT_SINGLE_MMAP) !== 0) return fd;
  fd.close();
  throw new UnsupportedError('io_uring with one mapping for both rings', 'Linux 5.4');
}

function refusal(errno: number): Error {
  if (errno === ENOSYS) {
    const why = 'the kernel is built without it, or a seccomp filter, such as that of a container, hides it';
    return new UnsupportedError('io_uring', 'Linux 5.1', why);
  }
  const hint =
    'It is forbidden: `sysctl kernel.io_uring_disabled` is 1 (allowed in kernel.io_uring_group, or to CAP_SYS_ADMIN) or 2 (to nobody), or a seccomp filter stands in front of it';
  return new SystemError('Cannot set up io_uring', {
    syscall: 'io_uring_setup',
    errno,
    ...(errno === EPERM ? { hint } : {}),
  });
}

function checkCount(what: string, count: number, most: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= most) return;
  throw new RangeError(`Cannot set up io_uring: ${what} must be 1 to ${most}, got ${count}`);
}
