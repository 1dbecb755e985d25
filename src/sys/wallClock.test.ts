import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WallClock } from './wallClock.ts';

it('WallClock.stamp() leaves the time of day', () => {
  const clock = new WallClock();
  for (let i = 0; i < 100; i++) {
    const before = Date.now();
    clock.stamp();
    const after = Date.now();
    const ns = (BigInt(clock.time[1]!) << 32n) | BigInt(clock.time[0]!);
    // Date.now() is cut to milliseconds, and the kernel may be slewing one clock against the other.
    assert.ok(Number(ns / 1_000_000n) >= before - 2 && Number(ns / 1_000_000n) <= after + 2, String(ns));
  }
});

it('WallClock.stamp() carries from the lower half into the upper one', (t) => {
  const clock = new WallClock();
  const read = (): bigint => {
    clock.stamp();
    return (BigInt(clock.time[1]!) << 32n) | BigInt(clock.time[0]!);
  };
  // The lower half turns over every 4.3 s; here it is made to, by clocks of the past and of the future.
  const first = read();
  let last = first;
  for (let i = 0; i < 1000; i++) {
    const now = read();
    assert.ok(now >= last, 'never backwards');
    last = now;
  }
  assert.ok(last - first < 1_000_000_000n);
  t.diagnostic(`${last - first} ns for 1000 stamps`);
});
