import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { addressOf, libc } from '../ffi/index.ts';
import { Doorbell } from './doorbell.ts';
import { EventFd } from './eventfd.ts';
import { Fd, leakedFds } from './fd.ts';
import { PollSet } from './poll.ts';
import { SYS_io_setup } from './uapi/index.ts';

const { EBADF, EINVAL } = constants.errno;
const contexts = (): number => readFileSync('/proc/self/maps', 'latin1').split('[aio]').length - 1;

test('Doorbell signals as often as it is rung, many more times than it has room for completions', () => {
  using bell = new Doorbell('test');
  using event = EventFd.create('test');
  for (let i = 0; i < 1000; i++) assert.equal(bell.ring(event.fd), 0);
  assert.equal(event.drain(), 1000);
  assert.equal(bell.reason, undefined);
});

test('Doorbell wakes who sleeps on any of several eventfds', () => {
  using bell = new Doorbell('test');
  using first = EventFd.create('test');
  using second = EventFd.create('test');
  const set = new PollSet([first.fd, second.fd]);
  assert.equal(bell.ring(second.fd), 0);
  assert.equal(set.wait(0), 1);
  assert.equal(set.ready(0), 0);
  assert.equal(bell.ring(first.fd), 0);
  assert.equal(set.wait(0), 2);
});

test('Doorbell leaves an eventfd that has signals enough as it is', () => {
  using bell = new Doorbell('test');
  using event = EventFd.create('test');
  libc.write(event.fd, new Uint32Array([0xffff_fffe, 0xffff_ffff]), 8);
  for (let i = 0; i < 100; i++) assert.equal(bell.ring(event.fd), 0);
});

test('Doorbell returns an error for what is no eventfd, and rings on', () => {
  using bell = new Doorbell('test');
  using event = EventFd.create('test');
  using zero = new Fd(openSync('/dev/zero', 'r+'), 'test');
  for (let i = 0; i < 200; i++) {
    assert.equal(bell.ring(zero.fd), -EINVAL);
    assert.equal(bell.ring(-1), -EBADF);
  }
  assert.equal(bell.ring(event.fd), 0);
  assert.equal(event.drain(), 1);
});

test('Doorbell sets nothing up before it rings, and leaves nothing behind', () => {
  const before = contexts();
  for (let i = 0; i < 1000; i++) new Doorbell('test').close();
  const bell = new Doorbell('test');
  using event = EventFd.create('test');
  assert.equal(contexts(), before);
  bell.ring(event.fd);
  assert.equal(contexts(), before + 1);
  bell.close();
  bell.close();
  assert.equal(contexts(), before);
  assert.equal(bell.ring(event.fd), 0, 'who is late does no harm');
  event.close();
  assert.deepEqual(leakedFds(), []);
});

/** Has a system call fail with EPERM in this thread from now on, as container runtimes do. @source seccomp(2) */
function bar(number: number): void {
  const instructions = new Uint32Array([
    ...[0x20, 0], // load the number of the call
    ...[0x15 | (1 << 16), number], // when it is this one, skip one
    ...[0x06, 0x7fff_0000], // allow
    ...[0x06, 0x0005_0001], // EPERM
  ]);
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, 4, true);
  const ptr = addressOf(instructions);
  program.setUint32(8, ptr >>> 0, true);
  program.setUint32(12, Math.floor(ptr / 2 ** 32), true);
  const [prctl, seccomp] = process.arch === 'arm64' ? [167, 277] : [157, 317];
  assert.equal(libc.syscall(prctl, 38, 1, 0, 0, 0, 0), 0); // PR_SET_NO_NEW_PRIVS
  assert.equal(libc.syscall(seccomp, 1, 0, addressOf(program), 0, 0, 0), 0); // SECCOMP_SET_MODE_FILTER
  assert.equal(instructions.length + program.byteLength, 24);
}

// The last one: what is barred stays barred.
test('Doorbell writes where asynchronous requests are barred, and says so', () => {
  using event = EventFd.create('test');
  bar(SYS_io_setup);
  using bell = new Doorbell('test');
  assert.match(bell.reason!, /can let us wait when we wake it: io_setup EPERM/);
  for (let i = 0; i < 100; i++) assert.equal(bell.ring(event.fd), 0);
  assert.equal(event.drain(), 100);
  assert.equal(bell.ring(-1), -EBADF);
});
