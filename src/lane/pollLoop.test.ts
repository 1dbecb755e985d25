import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pollable } from '../core/index.ts';
import { BusySpin, Idled, type IdleStrategy } from './idle.ts';
import { createLanePage, readLanePage } from './laneCounters.ts';
import { type PollLoopSpec, pollLoop } from './pollLoop.ts';
import { StopFlag } from './stopFlag.ts';

const page = () => createLanePage('test');
const stopFlag = (): StopFlag => new StopFlag(new SharedArrayBuffer(StopFlag.SIZE));

/** Does in each pass what `script` says, then asks `stop`. */
function scripted(stop: StopFlag, script: readonly number[]): Pollable {
  let pass = 0;
  const poll = (): number => {
    if (pass === script.length - 1) stop.request();
    return script[pass++]!;
  };
  return { poll, fds: [], arm: () => true };
}

function loop(spec: Partial<PollLoopSpec> & Pick<PollLoopSpec, 'pollables' | 'stop'>): void {
  pollLoop({ budget: 64, idle: new BusySpin(), counters: page().values, ...spec });
}

test('pollLoop() polls every pollable once a pass, in order, with the budget', () => {
  const stop = stopFlag();
  const calls: string[] = [];
  const named = (name: string): Pollable => ({
    poll: (budget) => {
      if (calls.push(`${name}${budget}`) === 6) stop.request();
      return 0;
    },
    fds: [],
    arm: () => true,
  });
  loop({ pollables: [named('a'), named('b')], budget: 5, stop });
  assert.deepEqual(calls, ['a5', 'b5', 'a5', 'b5', 'a5', 'b5']);
});

test('pollLoop() makes no pass once a stop was requested', () => {
  const stop = stopFlag();
  stop.request();
  loop({ pollables: [{ poll: () => assert.fail('polled'), fds: [], arm: () => true }], stop });
});

test('pollLoop() sees a stop of the other thread after 16 passes at the latest', () => {
  const memory = new SharedArrayBuffer(StopFlag.SIZE);
  const owner = new StopFlag(memory);
  let passes = 0;
  const poll = (): number => {
    if (++passes === 40) owner.request();
    return 1;
  };
  loop({ pollables: [{ poll, fds: [], arm: () => true }], stop: new StopFlag(memory) });
  assert.ok(passes >= 40 && passes <= 56, `${passes} passes`);
});

test('pollLoop() counts passes, work and idle passes', () => {
  const stop = stopFlag();
  const counters = page();
  loop({ pollables: [scripted(stop, [3, 0, 0, 2, 0])], counters: counters.values, stop });
  const { passes, work, idlePasses, sleeps, wakeups } = readLanePage(counters);
  assert.deepEqual(
    { passes, work, idlePasses, sleeps, wakeups },
    { passes: 5, work: 5, idlePasses: 3, sleeps: 0, wakeups: 0 },
  );
});

test('pollLoop() waits after idle passes only, and resets the strategy after work', () => {
  const stop = stopFlag();
  const counters = page();
  const calls: string[] = [];
  const outcomes = [Idled.spun, Idled.slept, Idled.woken];
  const idle: IdleStrategy = {
    wait: () => {
      calls.push('wait');
      return outcomes.shift()!;
    },
    reset: () => calls.push('reset'),
  };
  loop({ pollables: [scripted(stop, [0, 1, 0, 0, 1])], idle, counters: counters.values, stop });
  assert.deepEqual(calls, ['wait', 'reset', 'wait', 'wait', 'reset']);
  assert.equal(readLanePage(counters).sleeps, 2);
  assert.equal(readLanePage(counters).wakeups, 1);
});

test('pollLoop() looks for a stop after every sleep', () => {
  const memory = new SharedArrayBuffer(StopFlag.SIZE);
  const owner = new StopFlag(memory);
  let sleeps = 0;
  const idle: IdleStrategy = {
    wait: () => {
      if (++sleeps === 3) owner.request();
      return Idled.slept;
    },
    reset: () => {},
  };
  loop({ pollables: [], idle, stop: new StopFlag(memory) });
  assert.equal(sleeps, 3);
});

test('pollLoop() lets the error of a pollable through', () => {
  const error = new Error('gone');
  const poll = (): number => {
    throw error;
  };
  assert.throws(() => loop({ pollables: [{ poll, fds: [], arm: () => true }], stop: stopFlag() }), error);
});
