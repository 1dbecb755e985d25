import { performance } from 'node:perf_hooks';
import { median } from './median.ts';

// The loop is the common denominator of absolute figures: whole-number arithmetic, and loads and stores in 16 KiB, which
// any first-level cache holds. Four strands of it depend on each other so little that a core is busy with several
// instructions at a time, as it is in the code that is measured. Changing it voids the reference.
//
// measured: on a virtual core whose other half another guest uses now and then, the `ingest` case takes 48 or 80 ns and this
// loop 1.0 or 1.7 times the reference. A loop of one strand, each step waiting for the one before, hardly noticed.

const WORDS = 4096;
/** Passes over the words in a slice, which takes about 0.7 ms. */
const PASSES = 200;
const SLICES = 43;

/**
 * What a step of the loop, four words, takes on the machine that the targets were set on, undisturbed [ns].
 *
 * measured: the best of 200 runs in 5 processes, AMD EPYC (Zen 3, 2.45 GHz) in a virtual machine, Linux 6.18, Node 26.10.
 */
export const REFERENCE_NS = 3.4;

const words = new Int32Array(WORDS);

/**
 * Runs the calibration loop, which takes about 30 ms.
 *
 * @returns the time of a step over the reference time: 1.1 is a core 10 % slower than the one that the targets were set on
 */
export function calibrate(): number {
  return calibrationNs() / REFERENCE_NS;
}

/**
 * Runs the calibration loop.
 *
 * @returns the time of a step, a median over slices as in all that is scaled by it: the speed of the core, whoever else
 *   has work for it [ns]
 */
export function calibrationNs(): number {
  const times = Array.from({ length: SLICES }, () => {
    const start = performance.now();
    calibrationSlice();
    return ((performance.now() - start) * 1e6) / (PASSES * (WORDS / 4));
  });
  return median(times);
}

/** Four linear congruential generators, from D. Knuth's and others' tables, choose the words to read. */
function calibrationSlice(): void {
  let a = 1;
  let b = 2;
  let c = 3;
  let d = 4;
  for (let pass = 0; pass < PASSES; pass++) {
    for (let i = 0; i < WORDS; i += 4) {
      a = (Math.imul(a, 1_664_525) + 1_013_904_223) | 0;
      b = (Math.imul(b, 22_695_477) + 1) | 0;
      c = (Math.imul(c, 1_103_515_245) + 12_345) | 0;
      d = (Math.imul(d, 134_775_813) + 1) | 0;
      words[i] = (words[a >>> 20]! + b) | 0;
      words[i + 1] = words[b >>> 20]! ^ c;
      words[i + 2] = (words[c >>> 20]! + d) | 0;
      words[i + 3] = words[d >>> 20]! ^ a;
    }
  }
}
