import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gateway } from '../../bench/system/gateway.ts';
import { requireRoot } from '../support/requirements.ts';

test('bench gateway has frames reach an application, and tells the two modes of the machine apart', async (t) => {
  if (!requireRoot(t)) return;
  const notes: string[] = [];
  const measurements = await gateway.run({
    via: undefined,
    async *rounds() {
      yield 0;
    },
    seconds: () => 0.2,
    note: (text) => notes.push(text),
  });
  const values = new Map(measurements.map(({ figure, ours }) => [figure, ours]));
  for (const [figure, [value]] of values) assert.ok(value! > 0, `${figure} is ${value}`);
  // A machine that changes its mode every time leaves nothing to tell.
  if (notes.some((text) => text.includes('given up'))) return;
  assert.match(notes[0]!, /reading the clock takes \d+ to \d+ ns/);
  assert.ok(values.has('to 1 application') && values.has('to 2 applications'));
  const [mode, other] = values.has('added p50, fast') ? ['fast', 'slow'] : ['slow', 'fast'];
  const added = values.get(`added p50, ${mode}`)![0]!;
  const parts = values.get(`own thread p50, ${mode}`)![0]! + values.get(`hop p50, ${mode}`)![0]!;
  assert.ok(Math.abs(added - parts) < 1e-9);
  assert.ok(!values.has(`added p50, ${other}`));
  const { target } = measurements.find(({ figure }) => figure === `added p50, ${mode}`)!;
  assert.deepEqual(target, mode === 'fast' ? { op: '<=', value: 1.5 } : undefined);
});
