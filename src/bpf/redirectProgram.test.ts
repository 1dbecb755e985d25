import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redirectProgramSpec } from './redirectProgram.ts';

test('redirectProgramSpec() has the map of sockets, and a counter only to drop by', () => {
  const maps = (every?: number): string[] =>
    redirectProgramSpec({ sockets: 3, ...(every && { every }) }).maps!.map(
      ({ name, capacity }) => `${name} ${capacity}`,
    );
  assert.deepEqual(maps(), ['xsks 3']);
  assert.deepEqual(maps(1), ['xsks 3']);
  assert.deepEqual(maps(2), ['xsks 3', 'frames 1']);
  assert.equal(redirectProgramSpec({ sockets: 1, frags: true }).frags, true);
});

test('redirectProgramSpec() refuses numbers that cannot be', () => {
  for (const sockets of [0, 1.5, Number.NaN]) {
    assert.throws(() => redirectProgramSpec({ sockets }), /sockets must be an integer from 1 to 2147483647/);
  }
  for (const index of [-1, 2, 0.5]) {
    assert.throws(() => redirectProgramSpec({ sockets: 2, index }), {
      name: 'RangeError',
      message: `Cannot generate redirect program: index must be an integer from 0 to 1, got ${index}`,
    });
  }
  assert.throws(() => redirectProgramSpec({ sockets: 1, every: 0 }), /every must be .*, got 0/);
});
