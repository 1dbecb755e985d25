import { timeSlices } from './timeSlices.ts';

// The loop is the common denominator of absolute figures: whole-number arithmetic whose every step needs the one
// before, and reads and writes at unforeseeable places of 16 KiB, which any first-level cache holds. So it goes as fast
// as the core does at the time, whatever the memory does. Changing it voids the reference.

const WORDS = 4096;
const PASSES = 100;
const SECONDS = 0.03;

/**
 * What a step of the loop takes on the machine that the targets were set on, undisturbed [ns].
 *
 * measured: the best of 200 runs in 5 processes, AMD EPYC (Zen 3, 2.45 GHz base) in a virtual machine, Linux 6.18, Node 26.10.
 */
export const REFERENCE_NS = 2.2;

const words = new Int32Array(WORDS);

/**
 * Runs the calibration loop for 30 ms.
 *
 * @returns the time of a step over the reference time: 1.1 is a core 10 % slower than the one that the targets were set on
 */
export function calibrate(): number {
  return calibrationNs() / REFERENCE_NS;
}

/** Runs the calibration loop for 30 ms, in slices of about one. @returns the time of a step [ns] */
export function calibrationNs(): number {
  return timeSlices(SECONDS, PASSES * WORDS, calibrationSlice);
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
