import { startThreadPool } from '../sys/index.ts';

/** The pinned lanes that this isolate has started: core by the kernel's number of the thread. */
const pinned = new Map<number, number>();

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `step` when every step before it is over, failed ones too.
 *
 * Between the start of a lane's thread and the word that it has pinned itself nobody may clear cores: the new thread
 * would be taken for one that is no lane, and moved away.
 */
export function inTurn<T>(step: () => T | Promise<T>): Promise<T> {
  const mine = last.then(step);
  last = mine.catch(() => undefined);
  return mine;
}

/**
 * Moves everything that is no pinned lane off the lanes' cores, Node's thread pool included. Call it {@link inTurn}.
 *
 * @param core - of the lane to come, if it will be pinned
 * @returns what is not as it should be, one line each
 */
export function clearCores(core?: number): string[] {
  const taken = [...pinned.values()];
  const laneCores = core === undefined ? taken : [...taken, core];
  const { reason } = startThreadPool({ laneCores, laneThreads: [...pinned.keys()] });
  if (core === undefined) return [];
  const reasons = reason === undefined ? [] : [`${reason}, so its other threads share them`];
  return taken.includes(core) ? [...reasons, `core ${core} has another lane already`] : reasons;
}

/** Remembers a lane's thread. */
export function enrol(tid: number, core: number): void {
  pinned.set(tid, core);
}

/** Forgets a lane's thread and gives its core back to the others; where that fails they stay where they are. */
export function dismiss(tid: number): void {
  if (pinned.delete(tid)) inTurn(() => clearCores()).catch(() => undefined);
}
