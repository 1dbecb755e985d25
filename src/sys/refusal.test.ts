import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { SystemError } from './error.ts';
import { explainRefusal } from './refusal.ts';

const refused = (errno: number): SystemError =>
  new SystemError('Cannot do', { syscall: 'bpf(BPF_MAP_CREATE)', errno });
const attempt = { action: 'Cannot open', subject: 'xdp:x', features: ['real-time scheduling'] } as const;

test('explainRefusal() names what is missing when the kernel refused, and keeps its word', () => {
  for (const errno of [constants.errno.EPERM, constants.errno.EACCES]) {
    const error = refused(errno);
    const explained = explainRefusal(error, attempt, 'CapEff:\t0000000000000000\n');
    assert.ok(explained instanceof SystemError);
    assert.match(explained.message, /^Cannot open xdp:x: (EPERM|EACCES)\. It needs CAP_SYS_NICE/);
    assert.deepEqual(
      [explained.cause, explained.code, explained.syscall],
      [error, error.code, error.syscall],
    );
  }
});

test('explainRefusal() leaves a refusal alone when nothing is missing', () => {
  const error = refused(constants.errno.EPERM);
  assert.equal(explainRefusal(error, attempt, 'CapEff:\t000001ffffffffff\n'), error);
});

test('explainRefusal() leaves every other error alone', () => {
  for (const error of [refused(constants.errno.EBUSY), new TypeError('no'), 'text']) {
    assert.equal(explainRefusal(error, attempt, ''), error);
  }
});
