import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, BusySpin, Idled, Yield } from './idle.ts';

test('BusySpin and Yield never sleep', () => {
  for (const idle of [new BusySpin(), new Yield()]) {
    for (let i = 0; i < 300; i++) assert.equal(idle.wait(), Idled.spun);
  }
});

test('Backoff sleeps from the 121st idle pass on, and spins again after work', () => {
  const idle = new Backoff();
  const outcomes = (count: number): number[] => Array.from({ length: count }, () => idle.wait());
  assert.deepEqual(outcomes(123), [
    ...new Array(120).fill(Idled.spun),
    Idled.slept,
    Idled.slept,
    Idled.slept,
  ]);
  idle.reset();
  assert.deepEqual(outcomes(121), [...new Array(120).fill(Idled.spun), Idled.slept]);
});

test('Backoff sleeps longer and longer, up to a millisecond', () => {
  const idle = new Backoff();
  while (idle.wait() === Idled.spun);
  const started = performance.now();
  // 2 us to 512 us are 1.022 ms together, then come 20 of 1 ms.
  for (let i = 0; i < 9 + 20; i++) idle.wait();
  const slept = performance.now() - started;
  // The upper end is far off because a busy machine stretches sleeps; doubling without end would take 537 s.
  assert.ok(slept > 21 && slept < 1_000, `${slept} ms`);
});
