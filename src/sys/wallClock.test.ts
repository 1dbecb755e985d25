import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { nowNs } from './clock.ts';
import { WallClock } from './wallClock.ts';

function read(clock: WallClock): bigint {
  clock.stamp();
  return (BigInt(clock.time[1]!) << 32n) | BigInt(clock.time[0]!);
}

it('WallClock.stamp() leaves the time of day', () => {
  const clock = new WallClock();
  const before = Date.now();
  const now = Number(read(clock) / 1_000_000n);
  // Date.now() is cut to milliseconds, and the kernel may be slewing one clock against the other.
  assert.ok(now >= before - 2 && now <= Date.now() + 2, `${now}, Date.now() ${before}`);
});

it('WallClock.stamp() adds the monotonic clock to any origin, to the nanosecond', () => {
  const upper = fc.bigInt({ min: 0n, max: 2n ** 31n });
  const lower = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });
  fc.assert(
    fc.property(upper, lower, (high, low) => {
      const origin = (high << 32n) | low;
      const clock = new WallClock(origin);
      const before = BigInt(nowNs());
      const now = read(clock);
      assert.ok(now >= origin + before && now <= origin + BigInt(nowNs()));
    }),
  );
});
