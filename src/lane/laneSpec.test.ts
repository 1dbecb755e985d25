import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLaneSpec, type LaneSpec } from './laneSpec.ts';

const module = 'file:///programs/receive.ts';

test('checkLaneSpec() fills in the defaults and names the lane after its module', () => {
  assert.deepEqual(checkLaneSpec({ module }), {
    module,
    export: 'createLane',
    name: 'receive',
    idle: 'backoff',
    core: undefined,
    budget: 64,
    netns: undefined,
    realtime: undefined,
    strict: false,
    stopTimeoutMs: 2000,
  });
  assert.equal(checkLaneSpec({ module: 'data:text/javascript,1' }).name, 'lane');
});

test('checkLaneSpec() takes a URL, its text, or an absolute path', () => {
  assert.equal(checkLaneSpec({ module: new URL(module) }).module, module);
  assert.equal(checkLaneSpec({ module: '/a b/%.ts' }).module, 'file:///a%20b/%25.ts');
  for (const relative of ['./a.ts', 'a.ts', '']) {
    assert.throws(() => checkLaneSpec({ module: relative }), /module must be a URL or an absolute path/);
  }
});

test('checkLaneSpec() rejects numbers out of range, naming the lane', () => {
  const wrong: Partial<LaneSpec>[] = [
    { core: -1 },
    { core: 1.5 },
    { budget: 0 },
    { budget: 65_537 },
    { budget: Number.NaN },
    { realtime: 0 },
    { realtime: 100 },
    { stopTimeoutMs: 0 },
  ];
  for (const one of wrong) {
    const what = new RegExp(`Cannot start lane receive: ${Object.keys(one)[0]} must be`);
    assert.throws(() => checkLaneSpec({ module, ...one }), { name: 'RangeError', message: what });
  }
});

test('checkLaneSpec() rejects an unknown idle strategy and lists those that there are', () => {
  const idle = 'sleep' as 'block';
  assert.throws(() => checkLaneSpec({ module, idle }), /busySpin, yield, backoff, block, got sleep/);
});
