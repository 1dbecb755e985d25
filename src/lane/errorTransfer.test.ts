import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemError, UnsupportedError } from '../sys/index.ts';
import { describeError, reviveError } from './errorTransfer.ts';

/** What the owner of a lane gets when its thread throws `value`. */
function cross(value: unknown): Error {
  return reviveError(structuredClone(describeError(value)));
}

test('a SystemError keeps its class, fields, message and stack', () => {
  const sent = new SystemError('Cannot bind AF_XDP socket to', {
    syscall: 'bind(AF_XDP)',
    errno: 16,
    subject: 'eth0 queue 3',
  });
  const got = cross(sent);
  assert.ok(got instanceof SystemError);
  assert.equal(got.code, 'EBUSY');
  assert.equal(got.errno, -16);
  assert.equal(got.syscall, 'bind(AF_XDP)');
  assert.equal(got.subject, 'eth0 queue 3');
  assert.match(got.hint ?? '', /Another AF_XDP socket/);
  assert.equal(got.name, 'SystemError');
  assert.equal(got.message, sent.message);
  assert.equal(got.stack, sent.stack);
});

test('an UnsupportedError and the built-in errors keep their class', () => {
  const unsupported = cross(new UnsupportedError('multi-buffer', 'Linux 6.6'));
  assert.ok(unsupported instanceof UnsupportedError);
  assert.equal(unsupported.since, 'Linux 6.6');
  for (const kind of [Error, TypeError, RangeError, SyntaxError, ReferenceError]) {
    const got = cross(new kind('no'));
    assert.equal(Object.getPrototypeOf(got), kind.prototype);
    assert.equal(got.name, kind.name);
    assert.equal(Object.hasOwn(got, 'name'), false);
  }
});

test('an error of an unknown class is an Error of the same name with the same fields', () => {
  class VerifierError extends Error {
    override readonly name = 'VerifierError';
    readonly log = 'R1 invalid mem access';
  }
  const got = cross(new VerifierError('Cannot load'));
  assert.equal(Object.getPrototypeOf(got), Error.prototype);
  assert.equal(got.name, 'VerifierError');
  assert.equal((got as VerifierError).log, 'R1 invalid mem access');
});

test('the causes come along, and a circle of causes ends', () => {
  const root = new SystemError('Cannot read', { syscall: 'read', errno: 5 });
  const got = cross(new Error('outer', { cause: new Error('middle', { cause: root }) }));
  const middle = got.cause as Error;
  assert.equal(middle.message, 'middle');
  assert.ok(middle.cause instanceof SystemError);

  const circle = new Error('circle');
  circle.cause = circle;
  assert.equal(cross(circle).message, 'circle');
});

test('a field that cannot be cloned is left behind, the others come', () => {
  const got = cross(Object.assign(new Error('no'), { code: 'E_NO', retry: () => 1 }));
  assert.equal((got as NodeJS.ErrnoException).code, 'E_NO');
  assert.equal('retry' in got, false);
});

test('a thrown value that is no Error arrives in one that shows it', () => {
  assert.match(cross('text').message, /'text'/);
  assert.match(cross(undefined).message, /undefined/);
  assert.match(cross(Object.create(null)).message, /null prototype/);
});
