import assert from 'node:assert/strict';
import { openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { libc } from '../ffi/index.ts';
import { createMemfd, createSealedMemfd, EventFd, Fd, leakedFds, TimerFd } from '../sys/index.ts';
import { PeerMemory } from './peerMemory.ts';

const LEN = 8192;
const strict = { maxMemoryLen: 2 * LEN, trustPeer: false };
const mappings = (): number => readdirSync('/proc/self/map_files').length;

/** A second descriptor, as a message brings it: PeerMemory owns it then. */
const passed = (fd: number): Fd => new Fd(openSync(`/proc/self/fd/${fd}`, 'r+'), 'passed');

test('PeerMemory maps sealed memory and lets go of it', () => {
  using memfd = createSealedMemfd('peer', LEN);
  const before = mappings();
  const memory = new PeerMemory(strict);
  const fd = passed(memfd.fd);
  assert.equal(memory.addRegion(fd, LEN), undefined);
  assert.equal(fd.closed, true, 'the mapping is enough');
  const [region] = memory.regions;
  assert.equal(region!.byteLength, LEN);
  assert.equal(mappings(), before + 1);
  memory.close();
  memory.close();
  assert.equal(region!.detached, true);
  assert.equal(mappings(), before);
});

test('PeerMemory refuses memory that could vanish, unless the peer is trusted', () => {
  using memfd = createMemfd('peer', LEN);
  using memory = new PeerMemory(strict);
  assert.equal(memory.addRegion(memfd, LEN), 'memory not sealed against shrinking');
  assert.equal(memfd.closed, false, 'stays the caller’s');
  assert.equal(memory.keeps(memfd), false);
  assert.deepEqual(memory.regions, []);
  using trusting = new PeerMemory({ ...strict, trustPeer: true });
  assert.equal(trusting.addRegion(memfd, LEN), undefined);
});

test('PeerMemory refuses lengths that are not, and more than it takes', () => {
  using memory = new PeerMemory(strict);
  using memfd = createSealedMemfd('peer', LEN);
  assert.equal(memory.addRegion(memfd, 0), 'empty region');
  assert.equal(memory.addRegion(memfd, LEN + 1), 'region longer than its memory');
  assert.equal(memory.addRegion(memfd, 2 * LEN + 1), 'too much memory');
  assert.equal(memory.addRegion(memfd, 2 ** 64), 'too much memory');
  assert.equal(memory.addRegion(passed(memfd.fd), LEN), undefined);
  assert.equal(memory.addRegion(passed(memfd.fd), LEN), undefined);
  using third = passed(memfd.fd);
  assert.equal(memory.addRegion(third, 1), 'too much memory');
});

test('PeerMemory refuses what is no memory', () => {
  using memory = new PeerMemory({ ...strict, trustPeer: true });
  using event = EventFd.create('no memory');
  using zero = new Fd(openSync('/dev/zero', 'r+'), 'no memory');
  const fd = new Fd(openSync(`/proc/self/exe`, 'r'), 'read-only');
  assert.equal(memory.addRegion(fd, LEN), 'cannot map region: EACCES');
  fd.close();
  assert.equal(memory.addRegion(zero, LEN), 'region is no file');
  assert.notEqual(memory.addRegion({ fd: event.fd } as Fd, LEN), undefined);
});

test('PeerMemory keeps eventfds, and refuses interrupts that are something else', () => {
  using event = EventFd.create('peer');
  using timer = new TimerFd('peer');
  using zero = new Fd(openSync('/dev/zero', 'r+'), 'zero');
  const memory = new PeerMemory(strict);
  assert.equal(memory.addInterrupt({ fd: timer.fd } as Fd), 'interrupt is no eventfd');
  assert.equal(memory.addInterrupt(zero), 'interrupt is no eventfd');
  const kept = new Fd(dup(event.fd), 'kept');
  assert.equal(memory.addInterrupt(kept), undefined);
  assert.equal(memory.keeps(kept), true);
  assert.equal(memory.keeps(zero), false);
  memory.close();
  assert.equal(kept.closed, true);
});

test('PeerMemory leaves nothing open', () => {
  assert.deepEqual(leakedFds(), []);
});

/** F_DUPFD_CLOEXEC */
function dup(fd: number): number {
  return libc.fcntl(fd, 1030, 0);
}
