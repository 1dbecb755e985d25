import { pathToFileURL } from 'node:url';
import { allocationSlope } from '../bench/harness/allocationSlope.ts';
import type { AllocationCase } from './allocationCase.ts';

// The child process of the allocation gate: measures the cases of one file, prints one JSON line for each.
//
// A late optimisation, or an object of the compiler's own, can fall into one measurement but never into three: the
// smallest of a few slopes counts.

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

/** Measures one case. @returns the smallest slope of a few attempts [bytes per operation] */
export function measure({ run, operations }: AllocationCase, attempts: number = ATTEMPTS): number {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts && best >= LIMIT; attempt++) {
    best = Math.min(best, allocationSlope(run, operations));
  }
  return best;
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
