import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LinkState, LinkWatch } from './linkWatch.ts';

/** What a watch says to a row of states. */
function told(states: readonly LinkState[]): (string | undefined)[] {
  const left = [...states];
  const watch = new LinkWatch('eth0', () => left.shift()!);
  return states.map(() => watch.look());
}

const DOWN = 'eth0 is down, so nothing arrives: `ip link set eth0 up`';
const NO_CARRIER = 'eth0 has no carrier, so nothing arrives: its cable, or the other end, is missing or down';

test('LinkWatch says once that an interface is down, and that it is up again', () => {
  assert.deepEqual(told(['down', 'down', 'up', 'up', 'down']), [
    DOWN,
    undefined,
    'eth0 is up again',
    undefined,
    DOWN,
  ]);
});

test('LinkWatch says nothing of an interface that is up, or gone', () => {
  assert.deepEqual(told(['up', 'up', 'gone']), [undefined, undefined, undefined]);
});

test('LinkWatch takes eight looks before it misses the carrier', () => {
  const without = (count: number): LinkState[] => Array<LinkState>(count).fill('no carrier');
  const silence = (count: number): undefined[] => Array<undefined>(count).fill(undefined);
  assert.deepEqual(told([...without(7), 'up']), silence(8));
  assert.deepEqual(told([...without(9), 'up']), [...silence(7), NO_CARRIER, undefined, 'eth0 is up again']);
});

test('LinkWatch.of() watches the interface of xdp:, and nothing for a socket', () => {
  assert.ok(LinkWatch.of('xdp:eth0?queue=0') instanceof LinkWatch);
  assert.equal(LinkWatch.of('udp:127.0.0.1'), undefined);
  assert.equal(new LinkWatch('nope').look(), undefined);
});
