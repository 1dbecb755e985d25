import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreeOnMetadata } from './agreeOnMetadata.ts';

const all = { timestamp: 'hardware', hash: true, vlan: true } as const;

test('agreeOnMetadata() has all of what there is all of', () => {
  const agreed = agreeOnMetadata(all, new Set(['timestamp', 'hash', 'vlan-tag'] as const));
  assert.deepEqual(agreed, { possible: all, missing: [] });
});

test('agreeOnMetadata() names what there is not, and goes on with the rest', () => {
  const { possible, missing } = agreeOnMetadata(all, new Set(['hash'] as const));
  assert.deepEqual(possible, { timestamp: 'kernel', hash: true, vlan: false });
  assert.deepEqual(missing, ['hardware timestamp', 'VLAN tag']);
  assert.deepEqual(agreeOnMetadata({ hash: true }, new Set()).missing, ['hash']);
});

test("agreeOnMetadata() misses nothing where the kernel's time is enough", () => {
  const none = { timestamp: 'kernel', hash: false, vlan: false };
  assert.deepEqual(agreeOnMetadata({}, new Set()), { possible: none, missing: [] });
});
