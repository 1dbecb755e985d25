import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedCores, parseCores, setAllowedCores } from './affinity.ts';
import { housekeepingCores } from './housekeeping.ts';

test('parseCores() reads the kernel’s notation', () => {
  assert.deepEqual(parseCores('0-3,7,9-10\n'), [0, 1, 2, 3, 7, 9, 10]);
  assert.deepEqual(parseCores('5'), [5]);
  assert.deepEqual(parseCores('\n'), []);
});

test('allowedCores() reads back what setAllowedCores() set', () => {
  const before = allowedCores();
  try {
    setAllowedCores(0, [before[0]!]);
    assert.deepEqual(allowedCores(), [before[0]]);
  } finally {
    setAllowedCores(0, before);
  }
  assert.deepEqual(allowedCores(), before);
});

test('setAllowedCores() names cores that are not there', () => {
  assert.throws(
    () => setAllowedCores(0, [1023]),
    /^SystemError: Cannot move thread to core 1023: EINVAL\. The core/,
  );
  assert.throws(() => setAllowedCores(0, [1024]), RangeError);
  assert.throws(() => setAllowedCores(0, [-1]), RangeError);
  assert.throws(() => setAllowedCores(0, []), /EINVAL/);
});

test('housekeepingCores() keeps clear of lanes and of isolated cores', () => {
  assert.deepEqual(housekeepingCores([2], [0, 1, 2, 3], [2, 3]), { cores: [0, 1], reason: undefined });
});

test('housekeepingCores() gives up isolation before it shares a lane’s core', () => {
  assert.deepEqual(housekeepingCores([0], [0, 1], [1]), { cores: [1], reason: undefined });
  const shared = housekeepingCores([0, 1], [0, 1], []);
  assert.deepEqual(shared.cores, [0, 1]);
  assert.equal(shared.reason, 'Lanes take all 2 cores of this process');
});
