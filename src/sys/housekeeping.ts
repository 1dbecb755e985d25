import { access, readdirSync } from 'node:fs';
import { allowedCores, isolatedCores, setAllowedCores } from './affinity.ts';
import { SystemError } from './error.ts';

/** Where the threads went that are no lanes. */
export interface Housekeeping {
  /** in order */
  readonly cores: readonly number[];
  /** threads that were moved */
  readonly threads: number;
  /** why they share cores with lanes; undefined when they do not */
  readonly reason: string | undefined;
}

/** What {@link startThreadPool} has to keep clear of. */
export interface HousekeepingSpec {
  /** cores that lanes run on, or will */
  readonly laneCores: readonly number[];
  /** lanes that are running, by the kernel's number of their thread: they stay where they are */
  readonly laneThreads?: readonly number[];
}

/**
 * Returns the cores for everything that is no lane: those of the process that are neither a lane's nor isolated.
 *
 * When none is left it gives up isolation first, then shares the lanes' cores.
 */
export function housekeepingCores(
  laneCores: readonly number[],
  allowed: readonly number[],
  isolated: readonly number[],
): Pick<Housekeeping, 'cores' | 'reason'> {
  const free = allowed.filter((core) => !laneCores.includes(core));
  const usual = free.filter((core) => !isolated.includes(core));
  if (usual.length > 0) return { cores: usual, reason: undefined };
  if (free.length > 0) return { cores: free, reason: undefined };
  return { cores: allowed, reason: `Lanes take all ${allowed.length} cores of this process` };
}

/**
 * Starts Node's thread pool, then moves every thread of the process that is no lane to the housekeeping cores.
 *
 * To be called before the first lane pins itself. The pool starts with the first asynchronous file or name lookup, and
 * its threads keep for ever the core, the scheduling and the network namespace of the thread that caused it: were that
 * a lane, then all of the process's file access would interrupt it.
 *
 * The caller moves too, and threads that it starts later begin where it is. Call it again when lanes are added.
 */
export function startThreadPool(spec: HousekeepingSpec): Housekeeping {
  originallyAllowed ??= allowedCores(process.pid);
  const { cores, reason } = housekeepingCores(spec.laneCores, originallyAllowed, isolatedCores());
  // The pool's threads exist when this returns, long before the answer.
  access('/', () => undefined);
  let threads = 0;
  for (const name of readdirSync('/proc/self/task')) {
    const tid = Number(name);
    if (!spec.laneThreads?.includes(tid) && move(tid, cores)) threads++;
  }
  return { cores, threads, reason };
}

/** What the process was allowed before the first call narrowed it. */
let originallyAllowed: number[] | undefined;

/** A thread may end at any time: that is no failure. */
function move(tid: number, cores: readonly number[]): boolean {
  try {
    setAllowedCores(tid, cores);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ESRCH') return false;
    throw error;
  }
}
