import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, errnoName, SystemError } from './error.ts';
import { hintFor, hints } from './hints.ts';

test('errnoName() uses the kernel’s name where a number has two', () => {
  assert.equal(errnoName(95), 'EOPNOTSUPP');
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(105), 'ENOBUFS');
  assert.equal(errnoName(524), 'ENOTSUPP');
  assert.equal(errnoName(4000), 'E4000');
});

test('SystemError puts action, subject, code, the kernel’s words and the hint in this order', () => {
  const error = new SystemError('Cannot add address', {
    syscall: 'netlink(RTM_NEWADDR)',
    subject: '10.0.0.1/24 to v0',
    errno: 17,
    detail: 'already assigned',
    hint: 'Remove it first',
  });
  assert.equal(
    error.message,
    'Cannot add address 10.0.0.1/24 to v0: EEXIST (already assigned). Remove it first',
  );
  assert.equal(error.code, 'EEXIST');
  assert.equal(error.errno, -17);
  assert.equal(error.syscall, 'netlink(RTM_NEWADDR)');
});

test('SystemError takes its hint from the table when syscall and code fit', () => {
  const error = new SystemError('Cannot bind AF_XDP socket to', { syscall: 'bind(AF_XDP)', errno: 95 });
  assert.equal(error.hint, hintFor('bind(AF_XDP)', 'EOPNOTSUPP'));
  assert.ok(error.hint);
  assert.equal(new SystemError('Cannot bind', { syscall: 'bind(AF_XDP)', errno: 1 }).hint, undefined);
});

test('check() returns what did not fail', () => {
  assert.equal(check(0, 'Cannot', 'x'), 0);
  assert.equal(check(7, 'Cannot', 'x'), 7);
  assert.throws(() => check(-1, 'Cannot open', 'open', 'a file'), /^SystemError: Cannot open a file: E/);
});

test('the table of hints has one row for a syscall and code, each with a code that errnoName() gives', () => {
  const known = new Set(Array.from({ length: 600 }, (_, errno) => errnoName(errno)));
  const keys = hints.map((row) => `${row.syscall} ${row.code}`);
  assert.deepEqual(keys, [...new Set(keys)]);
  for (const row of hints) {
    assert.ok(known.has(row.code), `${row.syscall} ${row.code} can never match`);
    assert.match(row.hint, /^[A-Z].*[^.]$/, 'a hint begins upper case and ends without a period');
  }
});
