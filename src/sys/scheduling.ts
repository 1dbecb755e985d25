import { libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import {
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_IDLE,
  SCHED_NORMAL,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
} from './uapi/index.ts';

/** By what rule the kernel gives a thread its core. */
export interface Scheduling {
  readonly policy: 'normal' | 'batch' | 'idle' | 'fifo' | 'round-robin' | 'deadline' | 'other';
  /** 1 to 99 for `fifo` and `round-robin`, else 0 */
  readonly priority: number;
  /** threads and processes that it starts are `normal` again */
  readonly resetOnFork: boolean;
  /** why it is weaker than asked; undefined when as asked */
  readonly reason: string | undefined;
}

const policies: Readonly<Record<number, Scheduling['policy']>> = {
  [SCHED_NORMAL]: 'normal',
  [SCHED_BATCH]: 'batch',
  [SCHED_IDLE]: 'idle',
  [SCHED_FIFO]: 'fifo',
  [SCHED_RR]: 'round-robin',
  [SCHED_DEADLINE]: 'deadline',
};

/**
 * Returns how a thread is scheduled.
 *
 * @param tid - the kernel's number of a thread; the calling thread when absent
 * @throws SystemError ESRCH when there is no such thread
 */
export function scheduling(tid = 0): Scheduling {
  const subject = tid === 0 ? 'thread' : `thread ${tid}`;
  const value = libc.schedGetscheduler(tid);
  check(value, 'Cannot read policy of', 'sched_getscheduler', subject);
  const priority = new Int32Array(1);
  check(libc.schedGetparam(tid, priority), 'Cannot read priority of', 'sched_getparam', subject);
  return {
    policy: policies[value & ~SCHED_RESET_ON_FORK] ?? 'other',
    priority: priority[0]!,
    resetOnFork: (value & SCHED_RESET_ON_FORK) !== 0,
    reason: undefined,
  };
}

/**
 * Puts the calling thread under real-time scheduling (SCHED_FIFO); what it starts is scheduled as usual.
 *
 * NB: a thread that never sleeps starves everything else on its core: on one that is not isolated the kernel stops it
 * for 50 ms in every second.
 *
 * @param priority - 1 to 99, higher goes first
 * @param strict - throw instead of going on under normal scheduling
 * @returns what the thread has now, with the reason when that is weaker than asked
 * @throws SystemError EPERM, only when strict
 * @source sched(7)
 */
export function setRealtime(priority: number, strict = false): Scheduling {
  if (!Number.isInteger(priority) || priority < 1 || priority > 99) {
    throw new RangeError(`Cannot set real-time priority: want 1 to 99, got ${priority}`);
  }
  const result = libc.schedSetscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, new Int32Array([priority]));
  if (result === 0) return scheduling();
  const error = new SystemError('Cannot set real-time scheduling', { syscall: 'sched_setscheduler' });
  if (strict) throw error;
  return { ...scheduling(), reason: error.message };
}
