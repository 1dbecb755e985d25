import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilityHint, featureCapabilities, lockLimit, missingCapabilities } from './capabilities.ts';

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

test('missingCapabilities() takes CAP_BPF and CAP_PERFMON for included in CAP_SYS_ADMIN, and nothing else', () => {
  // CAP_SYS_ADMIN is 21.
  assert.deepEqual(
    missingCapabilities(
      ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_RAW', 'CAP_SYS_ADMIN'],
      status('0000000000200000'),
    ),
    ['CAP_NET_RAW'],
  );
});

test('capabilityHint() names what is missing, and the command that grants all that is needed', () => {
  const features = ['AF_XDP socket', 'XDP program', 'interface set-up'] as const;
  const needed = 'It needs CAP_NET_RAW, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON; ';
  const mend =
    'run as root, or grant them with `sudo setcap cap_net_raw,cap_bpf,cap_net_admin,cap_perfmon+ep /bin/node`';
  assert.equal(
    capabilityHint(features, status('0000000000002000'), '/bin/node'),
    `${needed}this thread lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON: ${mend}`,
  );
  assert.equal(
    capabilityHint(features, status('0000000000000000'), '/bin/node'),
    `${needed}this thread has none of them: ${mend}`,
  );
  assert.equal(capabilityHint(features, status('000001ffffffffff'), '/bin/node'), undefined);
});

test('capabilityHint() gives CAP_SYS_ADMIN to no file', () => {
  assert.equal(
    capabilityHint(['network namespace'], status('0000000000000000')),
    'It needs CAP_SYS_ADMIN; this thread has none of them: run as root',
  );
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
