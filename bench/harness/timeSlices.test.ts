import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { mock, test } from 'node:test';
import { timeSlices } from './timeSlices.ts';

/** Runs slices that take the given times on a clock of their own; the last one's again and again. [ms] */
function slicesOf(
  times: readonly number[],
  seconds: number,
  operations: number,
): { ns: number; ran: number } {
  let nowMs = 0;
  let ran = 0;
  const clock = mock.method(performance, 'now', () => nowMs);
  const ns = timeSlices(seconds, operations, () => {
    nowMs += times[Math.min(ran++, times.length - 1)]!;
  });
  clock.mock.restore();
  return { ns, ran };
}

test('timeSlices() returns the median time of an operation, whatever a few slices took', () => {
  assert.equal(slicesOf([500, 1, 2, 300, 2], 0.81, 1000).ns, 2000);
});

test('timeSlices() stops when the time is over, and finishes the slice that runs then', () => {
  assert.equal(slicesOf([4], 0.01, 1).ran, 3);
});

test('timeSlices() does not count what comes before a slice', () => {
  let nowMs = 0;
  const clock = mock.method(performance, 'now', () => nowMs);
  const work = (ms: number) => () => {
    nowMs += ms;
  };
  const ns = timeSlices(0.05, 1000, work(2), work(7));
  clock.mock.restore();
  assert.equal(ns, 2000);
});
