import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tail } from '../../bench/system/tail.ts';
import { requireRoot } from '../support/requirements.ts';

test('bench tail has orders come back to both clients, or names the one that is left out', async (t) => {
  if (!requireRoot(t)) return;
  const notes: string[] = [];
  const measurements = await tail.run({
    async *rounds() {
      yield 0;
    },
    seconds: () => 0.2,
    note: (text) => notes.push(text),
  });
  assert.deepEqual(
    measurements.map(({ figure }) => figure),
    ['p50', 'p99', 'p99.9', 'p99.99', 'max', 'lost', 'collections'],
  );
  const { ours, peers = [] } = measurements[0]!;
  assert.ok(ours[0]! > 0.5, `ours took ${ours[0]} us`);
  if (peers.length === 0) assert.match(notes[0]!, /left out/);
  else assert.ok(peers[0]!.values[0]! > 0.5, `the peer took ${peers[0]!.values[0]} us`);
});
