import { getHeapStatistics } from 'node:v8';

/** Operations of the short run; the long one has four times as many. */
const OPERATIONS = 10_000_000;

/**
 * Measures what an operation allocates on the heap of the calling thread: the slope between a run of `n` and one of
 * `4n` operations.
 *
 * Two reads of the heap's counter can differ by 180 kB with nothing allocated between them, because it moves by whole
 * allocation buffers; over 3 * 10^7 operations that is 0.006 bytes each. The long run comes first: what is allocated
 * once, such as by a late optimisation, then adds to the slope and can never hide one.
 *
 * @param run - performs `count` operations; called for warm-up first
 * @param operations - n, 10^7 by default
 * @returns [bytes per operation], 0 when the slope is negative
 */
export function allocationSlope(run: (count: number) => void, operations: number = OPERATIONS): number {
  run(operations >>> 3);
  const long = allocatedBy(run, 4 * operations);
  const short = allocatedBy(run, operations);
  return Math.max(0, (long - short) / (3 * operations));
}

function allocatedBy(run: (count: number) => void, count: number): number {
  const before = getHeapStatistics().total_allocated_bytes;
  run(count);
  return getHeapStatistics().total_allocated_bytes - before;
}
