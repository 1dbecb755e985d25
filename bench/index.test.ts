import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runBench } from './index.ts';

test('runBench() refuses a name that no case has, and names those there are', async () => {
  await assert.rejects(runBench(['rong']), /^RangeError: Cannot run bench rong: no such case; .*\bring\b/);
  await assert.rejects(runBench(['toString']), RangeError);
});

test('runBench() leaves out a case that cannot run over the port that is asked for, and says which it can', async (t) => {
  const log = t.mock.method(console, 'error', () => {});
  assert.equal(await runBench(['rtt', 'ring'], { via: 'loop:x', json: true }), 1);
  const lines = log.mock.calls.map(({ arguments: [text] }) => text as string);
  assert.ok(lines.includes('rtt: left out, it runs over xdp, packet, tap, memif, not over loop:x'));
  assert.ok(lines.includes('ring: left out, it takes no --via'));
});
