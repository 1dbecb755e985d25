import { addressOf, libc } from '../ffi/index.ts';
import { CLOCK_MONOTONIC } from './uapi/index.ts';

const timespec = new Uint32Array(4);
const timespecPtr = addressOf(timespec);

/**
 * Returns CLOCK_MONOTONIC, comparable across threads and processes of one machine. [nanoseconds]
 *
 * Exact up to 104 days of uptime (2^53 ns), to 2 ns for as long again.
 *
 * measured: 70 ns a call, as `performance.now()`; one stamp per burst is the rule.
 *
 * @hot
 * @source clock_gettime(2)
 */
export function nowNs(): number {
  libc.clockGettimePtr(CLOCK_MONOTONIC, timespecPtr);
  // The upper half of tv_sec is zero for the next 100 years of uptime.
  return timespec[0]! * 1e9 + timespec[2]!;
}
