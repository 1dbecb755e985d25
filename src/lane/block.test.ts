import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pollable } from '../core/index.ts';
import { EventFd, SystemError } from '../sys/index.ts';
import { Block } from './block.ts';
import { Idled, MAX_SLEEP_MS } from './idle.ts';

const pollable = (fds: readonly number[], arm: () => boolean = () => true): Pollable => ({
  poll: () => 0,
  fds,
  arm,
});

/** How long a wait took, at best of three, since a busy machine stretches sleeps. [ms] */
function timed(idle: Block, outcome: Idled): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const started = performance.now();
    assert.equal(idle.wait(), outcome);
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

test('Block sleeps no longer than its limit of 50 ms, and only then without a wake-up', () => {
  assert.equal(MAX_SLEEP_MS, 50);
  using stop = EventFd.create('stop');
  using work = EventFd.create('work');
  const ms = timed(new Block([pollable([work.fd])], stop.fd), Idled.slept);
  assert.ok(ms >= MAX_SLEEP_MS - 1 && ms < MAX_SLEEP_MS + 20, `${ms} ms`);
});

test('Block is woken by any fd of any pollable, and by the stop eventfd', () => {
  using stop = EventFd.create('stop');
  using a = EventFd.create('a');
  using b = EventFd.create('b');
  using c = EventFd.create('c');
  const idle = new Block([pollable([a.fd]), pollable([b.fd, c.fd])], stop.fd);
  for (const wake of [a, b, c, stop]) {
    wake.signal();
    const ms = timed(idle, Idled.woken);
    assert.ok(ms < MAX_SLEEP_MS / 2, `${ms} ms`);
    wake.drain();
  }
});

test('Block arms every pollable before it sleeps, even when one refuses', () => {
  using stop = EventFd.create('stop');
  const armed: string[] = [];
  const named = (name: string, armable: boolean): Pollable =>
    pollable([stop.fd], () => {
      armed.push(name);
      return armable;
    });
  assert.equal(new Block([named('a', false), named('b', true)], stop.fd).wait(), Idled.spun);
  assert.deepEqual(armed, ['a', 'b']);
});

test('Block returns to polling at once when arm() finds work', () => {
  using stop = EventFd.create('stop');
  let work = false;
  const idle = new Block([pollable([stop.fd], () => !work)], stop.fd);
  for (let i = 0; i < 5; i++) {
    work = true;
    assert.equal(idle.wait(), Idled.spun);
    idle.reset();
  }
  assert.equal(idle.wait(), Idled.spun);
  work = false;
  assert.equal(idle.wait(), Idled.slept);
  work = true;
  assert.equal(idle.wait(), Idled.spun, 'a refusal is forgotten once everything could be armed');
});

test('Block sleeps a millisecond when a pollable refuses again after a pass without work', () => {
  using stop = EventFd.create('stop');
  const idle = new Block([pollable([stop.fd], () => false)], stop.fd);
  assert.equal(idle.wait(), Idled.spun);
  const ms = timed(idle, Idled.slept);
  assert.ok(ms >= 0.5 && ms < MAX_SLEEP_MS / 2, `${ms} ms`);
});

test('Block sleeps a millisecond when a pollable has no fd, and says that it is so', () => {
  using stop = EventFd.create('stop');
  const idle = new Block([pollable([stop.fd]), pollable([])], stop.fd);
  assert.equal(idle.untold, true);
  const ms = timed(idle, Idled.slept);
  assert.ok(ms >= 0.5 && ms < MAX_SLEEP_MS / 2, `${ms} ms`);
  assert.equal(new Block([pollable([stop.fd])], stop.fd).untold, false);
});

test('Block refuses to go on with an fd that was closed', () => {
  using stop = EventFd.create('stop');
  const gone = EventFd.create('gone');
  const { fd } = gone;
  const idle = new Block([pollable([fd])], stop.fd);
  gone.close();
  assert.throws(
    () => idle.wait(),
    (error) => error instanceof SystemError && error.code === 'EBADF' && error.subject === `fd ${fd}`,
  );
});
