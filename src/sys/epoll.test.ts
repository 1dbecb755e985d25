import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Epoll } from './epoll.ts';
import { EventFd } from './eventfd.ts';
import { leakedFds } from './fd.ts';
import { PollSet } from './poll.ts';
import { TimerFd } from './timerFd.ts';

test('Epoll joins the tags of what is ready, and sleeps as one descriptor', () => {
  using epoll = new Epoll('test');
  using a = EventFd.create('a');
  using b = EventFd.create('b');
  using c = EventFd.create('c');
  const set = new PollSet([epoll.fd]);
  epoll.add(a.fd, 1);
  epoll.add(b.fd, 2);
  assert.equal(set.wait(0), 0);
  epoll.add(c.fd, 0x8000_0000);
  assert.equal(epoll.wait(0), 0);
  a.signal();
  assert.equal(set.wait(0), 1);
  assert.equal(epoll.wait(0), 1);
  assert.equal(epoll.wait(0), 1, 'as long as nobody reads');
  b.signal();
  assert.equal(epoll.wait(0), 3);
  a.drain();
  epoll.remove(b.fd);
  assert.equal(set.wait(0), 0);
  c.signal();
  assert.equal(epoll.wait(0) >>> 0, 0x8000_0000);
  assert.throws(() => epoll.add(c.fd, 1), { code: 'EEXIST' });
  epoll.remove(b.fd);
});

test('Epoll tells once of each arrival on an edge', () => {
  using epoll = new Epoll('test');
  using event = EventFd.create('event');
  epoll.add(event.fd, 4, { edge: true });
  for (let i = 0; i < 3; i++) {
    event.signal();
    assert.equal(epoll.wait(0), 4);
    assert.equal(epoll.wait(0), 0);
  }
});

test('Epoll tells of more descriptors than one call has room for', () => {
  using epoll = new Epoll('test');
  using events = new DisposableStack();
  for (let i = 0; i < 40; i++) {
    const event = events.use(EventFd.create(`${i}`));
    event.signal();
    epoll.add(event.fd, i < 32 ? 1 : 2, { edge: true });
  }
  assert.equal(epoll.wait(0) | epoll.wait(0), 3);
});

test('TimerFd is readable once the time has come', () => {
  using timer = new TimerFd('test');
  const set = new PollSet([timer.fd]);
  assert.equal(timer.drain(), false);
  timer.arm(20e6);
  assert.equal(set.wait(0), 0);
  assert.equal(set.wait(1000), 1);
  assert.equal(timer.drain(), true);
  assert.equal(set.wait(0), 0);
  timer.arm(-5);
  assert.equal(set.wait(1000), 1, 'a time in the past');
  timer.arm(3e9);
  assert.equal(set.wait(0), 0, 'in place of the earlier one');
  timer.arm(1);
  timer.disarm();
  assert.equal(set.wait(5), 0);
});

test('Epoll and TimerFd leave nothing open', () => {
  for (let i = 0; i < 1000; i++) {
    using epoll = new Epoll('test');
    using timer = new TimerFd('test');
    epoll.add(timer.fd, 1);
    timer.close();
    epoll.close();
    assert.throws(() => epoll.fd, /closed/);
  }
  assert.deepEqual(leakedFds(), []);
});
