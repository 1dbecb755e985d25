import { pathToFileURL } from 'node:url';
import { allocationSlope } from '../bench/harness/allocationSlope.ts';
import type { AllocationCase } from './allocationCase.ts';
import { countCalls } from './countCalls.ts';

// The child process of the allocation gate: measures the cases of one file, then counts what each of them calls, and
// prints one JSON line for each.
//
// A late optimisation, or an object of the compiler's own, can fall into one measurement but never into three: the
// smallest of a few slopes counts.

/** What the gate knows of one case after it ran. */
export interface AllocationResult {
  readonly name: string;
  readonly covers: readonly string[];
  /** [bytes per frame]; null when skipped. */
  readonly bytes: number | null;
  /** How often each function of the product was called while {@link COUNTED_FRAMES} were handled. */
  readonly calls: Readonly<Record<string, number>>;
  readonly skip: string | null;
}

/** From this on a case fails [bytes per frame]. */
export const LIMIT = 0.1;

/** Frames for which a covered function is called at least once: the smallest object in it is then 0.25 bytes each. */
export const MAX_FRAMES_PER_CALL = 64;

/** Frames handled while calls are counted. */
export const COUNTED_FRAMES: number = 64 * MAX_FRAMES_PER_CALL;

/** Frames of the short run. */
const FRAMES = 10_000_000;
const ATTEMPTS = 3;

/**
 * Measures one case.
 *
 * @returns the smallest slope of a few attempts [bytes per frame]
 * @throws RangeError when an operation is said to serve more frames than the limit leaves room for
 */
export function measure(one: AllocationCase, attempts: number = ATTEMPTS): number {
  const { name, run, framesPerOperation: frames = 1 } = one;
  if (!(Number.isInteger(frames) && frames >= 1 && frames <= MAX_FRAMES_PER_CALL)) {
    throw new RangeError(
      `Cannot measure ${name}: framesPerOperation must be 1 to ${MAX_FRAMES_PER_CALL}, got ${frames}`,
    );
  }
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts && best >= LIMIT; attempt++) {
    best = Math.min(best, allocationSlope(run, Math.ceil(FRAMES / frames)) / frames);
  }
  return best;
}

if (import.meta.main) {
  const { default: cases } = (await import(pathToFileURL(process.argv[2]!).href)) as {
    default: AllocationCase[];
  };
  // All of them first: nothing is as fast as before once calls were counted.
  const bytes = cases.map((one) => (one.skip === undefined ? measure(one) : null));
  for (const [i, { name, covers, skip = null, framesPerOperation = 1, run }] of cases.entries()) {
    const count = (): void => run(COUNTED_FRAMES / framesPerOperation);
    const calls = skip === null ? await countCalls(process.cwd(), count) : {};
    const result: AllocationResult = { name, covers, bytes: bytes[i]!, calls, skip };
    console.log(JSON.stringify(result));
  }
}
