import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './target.ts';

test('judge() takes a limit as reached for <= and >=, not for <', () => {
  assert.equal(judge({ op: '<=', value: 45 }, 'ours', 45, 1).met, true);
  assert.equal(judge({ op: '>=', value: 45 }, 'ours', 45, 1).met, true);
  assert.equal(judge({ op: '<', value: 45 }, 'ours', 45, 1).met, false);
  assert.equal(judge({ op: '<=', value: 45 }, 'ours', 45.1, 1).met, false);
  assert.equal(judge({ op: '>=', value: 45 }, 'ours', 44.9, 1).met, false);
  assert.equal(judge({ op: '<', value: 45 }, 'ours', 44.9, 1).met, true);
});

test('judge() allows a slow machine more time and a lower rate, and says how much', () => {
  const time = { op: '<=', value: 40, scaled: true } as const;
  assert.deepEqual(judge(time, 'ours', 59, 1.5), { met: true, text: '≤ 40, here 60' });
  assert.equal(judge(time, 'ours', 61, 1.5).met, false);
  const rate = { op: '>=', value: 30, scaled: true } as const;
  assert.deepEqual(judge(rate, 'ours', 21, 1.5), { met: true, text: '≥ 30, here 20' });
  assert.equal(judge(rate, 'ours', 19, 1.5).met, false);
});

test('judge() leaves a target alone that is not scaled', () => {
  assert.deepEqual(judge({ op: '<=', value: 40 }, 'ours', 41, 1.5), { met: false, text: '≤ 40' });
});

test('judge() holds nothing that was not measured for met', () => {
  assert.equal(judge({ op: '<=', value: 40 }, 'ours', Number.NaN, 1).met, false);
  assert.equal(judge({ op: '>=', value: 40 }, 'ours', Number.NaN, 1).met, false);
});

test('judge() spells the target of a ratio as a fraction where it is one', () => {
  assert.equal(judge({ op: '<=', value: 1 / 12 }, 'ratio', 0.05, 1).text, 'ratio ≤ 1/12');
  assert.equal(judge({ op: '<', value: 1 }, 'ratio', 0.5, 1).text, 'ratio < 1');
  assert.equal(judge({ op: '<', value: 0.1 }, 'ours', 0.5, 1).text, '< 0.1');
  assert.equal(judge({ op: '<', value: 0.7 }, 'ratio', 0.5, 1).text, 'ratio < 0.7');
});
