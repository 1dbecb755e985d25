import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TimerWheel } from './timerWheel.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 300;

function wheel(options: { capacity?: number; tickNs?: number; nowNs?: number } = {}): TimerWheel {
  return new TimerWheel({ capacity: 8, tickNs: 10, nowNs: 1_000, ...options });
}

function firedBy(timers: TimerWheel, nowNs: number): number[] {
  const fired: number[] = [];
  const count = timers.advance(nowNs, (_kind, data) => fired.push(data));
  assert.equal(count, fired.length);
  return fired;
}

test('a timer fires once, never before its deadline and at most one tick after it', () => {
  const timers = wheel();
  timers.schedule(1_055, 0, 7);
  assert.deepEqual(firedBy(timers, 1_059), []);
  assert.deepEqual(firedBy(timers, 1_060), [7]);
  assert.deepEqual(firedBy(timers, 9_000), []);
});

test('a timer whose deadline is a whole tick fires at that very time', () => {
  const timers = wheel();
  timers.schedule(1_050, 0, 7);
  assert.deepEqual(firedBy(timers, 1_049), []);
  assert.deepEqual(firedBy(timers, 1_050), [7]);
});

test('a timer with a deadline in the past fires at the next tick', () => {
  const timers = wheel();
  timers.schedule(-Infinity, 0, 1);
  timers.schedule(1_000, 0, 2);
  assert.deepEqual(firedBy(timers, 1_009), []);
  assert.deepEqual(firedBy(timers, 1_010), [1, 2]);
});

test('the handler gets kind, data and the handle that schedule() returned', () => {
  const timers = wheel();
  const handle = timers.schedule(1_010, -3, 2 ** 31 - 1);
  const seen: number[][] = [];
  timers.advance(2_000, (...args) => seen.push(args));
  assert.deepEqual(seen, [[-3, 2 ** 31 - 1, handle]]);
});

test('cancel() keeps a timer from firing and says so once', () => {
  const timers = wheel();
  const handle = timers.schedule(1_050, 0, 1);
  timers.schedule(1_050, 0, 2);
  assert.equal(timers.cancel(handle), true);
  assert.equal(timers.cancel(handle), false);
  assert.equal(timers.count, 1);
  assert.deepEqual(firedBy(timers, 2_000), [2]);
});

test('cancel() of a handle whose timer was reused leaves the new timer alone', () => {
  const timers = wheel({ capacity: 1 });
  const stale = timers.schedule(1_050, 0, 1);
  timers.advance(1_050, () => {});
  const fresh = timers.schedule(1_100, 0, 2);
  assert.notEqual(stale, fresh);
  assert.equal(timers.cancel(stale), false);
  assert.deepEqual(firedBy(timers, 2_000), [2]);
});

test('cancel() of any other number is false and harmless', () => {
  const timers = wheel({ capacity: 5 });
  const handle = timers.schedule(1_050, 0, 1);
  for (const other of [0, -1, 1, NaN, -handle, handle + 0.5, handle + 2 ** 32, 2 ** 31 - 1, Infinity]) {
    assert.equal(timers.cancel(other), false, `${other}`);
  }
  for (let i = -100; i < 100; i++) if (i !== handle) assert.equal(timers.cancel(i), false, `${i}`);
  assert.equal(timers.count, 1);
});

test('handles stay above 0 and differ from the one before, through all generations', () => {
  const timers = wheel({ capacity: 2 ** 20 - 192 });
  let before = 0;
  for (let i = 0; i < 5_000; i++) {
    const handle = timers.schedule(2_000, 0, 0);
    assert.ok(handle > 0 && handle !== before);
    assert.equal(timers.cancel(handle), true);
    before = handle;
  }
});

test('schedule() returns -1 when the wheel is full, and works again after a timer has gone', () => {
  const timers = wheel({ capacity: 2 });
  const first = timers.schedule(1_100, 0, 1);
  timers.schedule(1_100, 0, 2);
  assert.equal(timers.schedule(1_100, 0, 3), -1);
  assert.equal(timers.count, 2);
  timers.cancel(first);
  timers.schedule(1_100, 0, 4);
  assert.deepEqual(firedBy(timers, 1_100), [2, 4]);
});

test('the handler may schedule, and what is due by then fires in the same advance', () => {
  const timers = wheel({ capacity: 1 });
  const fired: number[] = [];
  timers.schedule(1_010, 0, 0);
  timers.advance(1_055, (_kind, data) => {
    fired.push(data);
    assert.ok(timers.schedule(0, 0, data + 1) > 0);
  });
  assert.deepEqual(fired, [0, 1, 2, 3, 4]);
});

test('the handler may cancel a timer of the same tick', () => {
  const timers = wheel();
  const fired: number[] = [];
  timers.schedule(1_010, 0, 1);
  const second = timers.schedule(1_010, 0, 2);
  timers.schedule(1_010, 0, 3);
  timers.advance(2_000, (_kind, data) => {
    fired.push(data);
    timers.cancel(second);
  });
  assert.deepEqual(fired, [1, 3]);
});

test('a handler that throws loses its own timer and no other', () => {
  const timers = wheel();
  for (let data = 1; data <= 3; data++) timers.schedule(1_010, 0, data);
  timers.schedule(1_020, 0, 4);
  const fail = (): never => {
    throw new Error('handler');
  };
  assert.throws(() => timers.advance(1_500, fail), /handler/);
  assert.deepEqual(firedBy(timers, 1_500), [2, 3, 4]);
});

test('a clock that goes back changes nothing', () => {
  const timers = wheel();
  timers.schedule(1_050, 0, 1);
  assert.deepEqual(firedBy(timers, 1_040), []);
  assert.deepEqual(firedBy(timers, 0), []);
  assert.deepEqual(firedBy(timers, 1_050), [1]);
});

test('nextWakeNs() leads to every timer with at most one call per level for each', () => {
  const timers = wheel({ capacity: 64 });
  assert.equal(timers.nextWakeNs(), Infinity);
  const deadlines = Array.from({ length: 19 }, (_, i) => 1_000 + 10 * 3 ** i);
  for (let i = 0; i < 19; i++) timers.schedule(deadlines[i]!, 0, i);
  for (let i = 0; i < 19; i++) {
    let fired: number[] = [];
    for (let calls = 0; fired.length === 0; calls++) {
      assert.ok(calls < 6, `timer ${i}`);
      const wake = timers.nextWakeNs();
      assert.ok(wake <= Math.max(deadlines[i]!, 1_010), `timer ${i}`);
      fired = firedBy(timers, wake);
    }
    assert.deepEqual(fired, [i]);
  }
  assert.equal(timers.nextWakeNs(), Infinity);
});

test('a deadline beyond the range of the wheel is reached all the same', () => {
  const timers = wheel({ tickNs: 1, nowNs: 0 });
  const far = 5 * 2 ** 30 + 12_345;
  timers.schedule(far, 0, 1);
  timers.schedule(Infinity, 0, 2);
  assert.deepEqual(firedBy(timers, far - 1), []);
  assert.deepEqual(firedBy(timers, far), [1]);
  assert.deepEqual(firedBy(timers, 2 ** 40), []);
  assert.equal(timers.count, 1);
});

test('new TimerWheel() names what is wrong with its spec', () => {
  for (const capacity of [0, 1.5, NaN, 2 ** 20])
    assert.throws(() => wheel({ capacity }), /capacity must be 1/);
  for (const tickNs of [0, -1, 0.5, NaN]) assert.throws(() => wheel({ tickNs }), /tickNs must be/);
  assert.throws(() => wheel({ nowNs: NaN }), /nowNs must be finite, got NaN/);
});

// The naive model: a list, sorted by tick and then by the order of scheduling.
interface ModelTimer {
  readonly due: number;
  readonly id: number;
  readonly handle: number;
}

test('a wheel fires like a sorted list, over any jumps of time and with ticks that wrap at 2^32', () => {
  const ahead = fc
    .tuple(fc.nat(29), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))
    .map(([bits, part]) => Math.floor(part * 2 ** bits) - 2);
  const step = fc.record({
    kind: fc.constantFrom('schedule', 'schedule', 'schedule', 'cancel', 'advance'),
    ticks: ahead,
    within: fc.nat(9),
    pick: fc.nat(),
  });
  const property = fc.property(fc.nat(4), fc.array(step, { maxLength: 120 }), (turns, steps) => {
    const timers = new TimerWheel({ capacity: 16, tickNs: 10, nowNs: 0 });
    let now = turns * 10 * (2 ** 30 - 3);
    assert.deepEqual(firedBy(timers, now), []);
    let model: ModelTimer[] = [];
    let nextId = 0;
    for (const { kind, ticks, within, pick } of steps) {
      const current = Math.floor(now / 10);
      if (kind === 'schedule') {
        const handle = timers.schedule(now + ticks * 10 + within, 0, nextId);
        assert.equal(handle === -1, model.length === 16);
        const due = Math.max(current + 1, Math.ceil((now + ticks * 10 + within) / 10));
        if (handle !== -1) model.push({ due, id: nextId++, handle });
      } else if (kind === 'cancel') {
        const victim = model[pick % (model.length + 1)];
        assert.equal(timers.cancel(victim?.handle ?? pick % 16), victim !== undefined);
        model = model.filter((timer) => timer !== victim);
      } else {
        now += Math.max(0, ticks) * 10 + within;
        const due = model.filter((timer) => timer.due <= Math.floor(now / 10));
        due.sort((a, b) => a.due - b.due || a.id - b.id);
        assert.deepEqual(
          firedBy(timers, now),
          due.map((timer) => timer.id),
        );
        model = model.filter((timer) => !due.includes(timer));
      }
      assert.equal(timers.count, model.length);
      const earliest = Math.min(...model.map((timer) => timer.due * 10));
      assert.ok(timers.nextWakeNs() <= earliest && timers.nextWakeNs() > Math.floor(now / 10) * 10);
    }
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});
