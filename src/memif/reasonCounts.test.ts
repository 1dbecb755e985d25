import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReasonCounts } from './reasonCounts.ts';

test('ReasonCounts keeps our own reasons apart, and so many of the peers', () => {
  const counts = new ReasonCounts();
  for (let i = 0; i < 40; i++) counts.add(`peer: ${i}`);
  for (let i = 0; i < 40; i++) counts.add(`ours ${i}`);
  counts.add('peer: 3');
  const read = counts.read();
  assert.equal(read['peer: 3'], 2);
  assert.equal(read['peer: other'], 24);
  assert.equal(read['ours 39'], 1);
  assert.equal(Object.keys(read).length, 16 + 1 + 40);
});
