import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featureCapabilities, lockLimit, missingCapabilities } from './capabilities.ts';

const status = (effective: string): string =>
  `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${effective}\n`;

test('missingCapabilities() reads the effective set bit by bit', () => {
  // CAP_NET_RAW is 13, CAP_BPF is 39.
  assert.deepEqual(missingCapabilities(['CAP_NET_RAW', 'CAP_BPF'], status('0000008000002000')), []);
  assert.deepEqual(missingCapabilities(['CAP_NET_RAW', 'CAP_BPF'], status('0000000000002000')), ['CAP_BPF']);
  assert.deepEqual(missingCapabilities(['CAP_NET_RAW', 'CAP_BPF'], status('0000008000000000')), [
    'CAP_NET_RAW',
  ]);
});

test('missingCapabilities() misses everything when the text says nothing', () => {
  const all = Object.values(featureCapabilities).flat();
  assert.deepEqual(missingCapabilities(all, ''), all);
});

test('lockLimit() reads the soft limit', () => {
  const line = (soft: string): string =>
    `Max locked memory         ${soft.padEnd(21)}unlimited            bytes     \n`;
  assert.equal(lockLimit(line('8388608')), 8388608);
  assert.equal(lockLimit(line('unlimited')), Number.POSITIVE_INFINITY);
  assert.equal(lockLimit(), lockLimit(), 'the calling thread has one');
});
