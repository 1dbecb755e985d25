import { performance } from 'node:perf_hooks';
import { median } from './median.ts';

/**
 * Repeats a slice of work until the time is over and returns the median time of one operation.
 *
 * The median over slices, not the mean over all: on shared cores some slices are interrupted for milliseconds, and how
 * many are is not the code's doing.
 *
 * @param seconds - how long to repeat; the slice that runs then is finished [s]
 * @param operations - in one slice; enough for some 10 microseconds, since the clock costs about 0.05
 * @param slice - performs them
 * @param prepare - is called before each slice, and not timed
 * @returns [ns per operation]
 */
export function timeSlices(
  seconds: number,
  operations: number,
  slice: () => void,
  prepare?: () => void,
): number {
  const times: number[] = [];
  const end = performance.now() + seconds * 1e3;
  for (let now = 0; now < end; ) {
    prepare?.();
    const start = performance.now();
    slice();
    now = performance.now();
    times.push(((now - start) * 1e6) / operations);
  }
  return median(times);
}
