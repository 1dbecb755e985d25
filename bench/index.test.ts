import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runBench } from './index.ts';

test('runBench() refuses a name that no case has, and names those there are', async () => {
  await assert.rejects(runBench(['rong']), /^RangeError: Cannot run bench rong: no such case; .*\bring\b/);
  await assert.rejects(runBench(['toString']), RangeError);
});
