import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median } from './median.ts';

test('median() is the middle value, or the mean of the two in the middle', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([10, 9]), 9.5);
});

test('median() orders numbers by size, not as text', () => {
  assert.equal(median([100, 20, 3]), 20);
});

test('median() of nothing is NaN', () => {
  assert.ok(Number.isNaN(median([])));
});

test('median() leaves its argument as it is', () => {
  const values = [3, 1, 2];
  median(values);
  assert.deepEqual(values, [3, 1, 2]);
});
