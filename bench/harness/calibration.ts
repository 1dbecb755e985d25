import { performance } from 'node:perf_hooks';
import { median } from './median.ts';

// The loop is the common denominator of absolute figures: whole-number arithmetic whose every step needs the one
// before, and reads and writes at unforeseeable places of 16 KiB, which any first-level cache holds. So it goes as fast
// as the core does at the time, whatever the memory does. Changing it voids the reference.

const WORDS = 4096;
/** Passes over the words in a slice, which takes about a millisecond. */
const PASSES = 100;
const SLICES = 33;

/**
 * What a step of the loop takes on the machine that the targets were set on, undisturbed [ns].
 *
 * measured: the best of 320 runs in 8 processes, AMD EPYC (Zen 3, 2.45 GHz) in a virtual machine, Linux 6.18, Node 26.10;
 * the middle one took 2.33.
 */
export const REFERENCE_NS = 2.16;

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
    return ((performance.now() - start) * 1e6) / (PASSES * WORDS);
  });
  return median(times);
}

function calibrationSlice(): void {
  let x = 1;
  for (let pass = 0; pass < PASSES; pass++) {
    for (let i = 0; i < WORDS; i++) {
      // G. Marsaglia, "Xorshift RNGs", 2003: period 2^32 - 1.
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = (words[x & (WORDS - 1)]! + x) | 0;
    }
  }
}
