import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowNs } from './clock.ts';
import { EventFd } from './eventfd.ts';
import { PollSet } from './poll.ts';
import { POLLIN, POLLNVAL } from './uapi/index.ts';

test('EventFd counts signals and is drained at once', () => {
  using event = EventFd.create('test');
  assert.equal(event.drain(), 0);
  event.signal();
  event.signal();
  assert.equal(event.drain(), 2);
  assert.equal(event.drain(), 0);
});

test('a borrowed EventFd signals the owner and leaves the descriptor open', () => {
  using event = EventFd.create('test');
  const borrowed = EventFd.borrow(event.fd);
  borrowed.signal();
  borrowed.close();
  borrowed.signal();
  assert.equal(event.drain(), 1);
});

test('a closed EventFd touches no descriptor that has its number now', () => {
  const closed = EventFd.create('first');
  const { fd } = closed;
  closed.close();
  using next = EventFd.create('second');
  assert.equal(next.fd, fd, 'the kernel hands out the lowest free number');
  closed.signal();
  assert.equal(next.drain(), 0);
});

test('PollSet says which descriptors are ready', () => {
  using quiet = EventFd.create('quiet');
  using loud = EventFd.create('loud');
  const set = new PollSet([quiet.fd, loud.fd]);
  assert.equal(set.wait(0), 0);
  loud.signal();
  assert.equal(set.wait(1000), 1);
  assert.equal(set.ready(0), 0);
  assert.equal(set.ready(1), POLLIN);
  loud.drain();
  assert.equal(set.wait(0), 0);
  assert.equal(set.ready(1), 0);
});

test('PollSet returns after its time, and an empty one only sleeps', () => {
  const set = new PollSet([]);
  const start = nowNs();
  assert.equal(set.wait(5), 0);
  assert.ok(nowNs() - start >= 5e6);
});

test('PollSet reports a descriptor that is not open', () => {
  const set = new PollSet([1_000_000]);
  assert.equal(set.wait(0), 1);
  assert.equal(set.ready(0), POLLNVAL);
});
