import { pathToFileURL } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import type { AllocationCase } from './allocationCase.ts';

// The child process of the allocation gate: measures the cases of one file, prints one JSON line for each.
//
// Two reads of the heap's counter can differ by 180 kB with nothing allocated between them, since it moves by whole
// allocation buffers; the slope between n and 4n operations, n of 10^7 or more, cancels that. A late optimisation or
// a compiler's own objects can still fall into one run, never into three: the best of three counts.

/** What the gate knows of one case after it ran. */
export interface AllocationResult {
  readonly name: string;
  readonly covers: readonly string[];
  /** [bytes per operation]; null when skipped. */
  readonly bytes: number | null;
  readonly skip: string | null;
}

/** Above this a case fails [bytes per operation]. */
export const LIMIT = 0.1;

const MIN_OPERATIONS = 10_000_000;
const ATTEMPTS = 3;

/** Measures one case. @returns the smallest slope of a few attempts, never below 0 [bytes per operation] */
export function measure(
  { run, operations = MIN_OPERATIONS }: AllocationCase,
  attempts: number = ATTEMPTS,
): number {
  run(operations >>> 3);
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts && best >= LIMIT; attempt++) {
    const short = allocatedBy(run, operations);
    const long = allocatedBy(run, 4 * operations);
    best = Math.min(best, Math.max(0, (long - short) / (3 * operations)));
  }
  return best;
}

function allocatedBy(run: (count: number) => void, count: number): number {
  const before = getHeapStatistics().total_allocated_bytes;
  run(count);
  return getHeapStatistics().total_allocated_bytes - before;
}

if (import.meta.main) {
  const { default: cases } = (await import(pathToFileURL(process.argv[2]!).href)) as {
    default: AllocationCase[];
  };
  for (const one of cases) {
    const { name, covers, operations = MIN_OPERATIONS, skip = null } = one;
    if (operations < MIN_OPERATIONS)
      throw new RangeError(
        `Cannot measure ${name} over ${operations} operations: at least ${MIN_OPERATIONS} needed`,
      );
    const result: AllocationResult = { name, covers, bytes: skip === null ? measure(one) : null, skip };
    console.log(JSON.stringify(result));
  }
}
