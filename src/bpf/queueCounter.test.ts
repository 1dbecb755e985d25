import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disassemble } from './disassemble.ts';
import { type CountedFlow, queueCounterSpec } from './queueCounter.ts';

test('queueCounterSpec() is plain data with a count for each nicQueue', () => {
  const spec = queueCounterSpec({ port: 9000, sourceAddress: '10.0.0.1', sourcePort: 4000 }, 12);
  assert.deepEqual(structuredClone(spec), spec);
  assert.equal(spec.maps?.[0]?.capacity, 12);
});

test('queueCounterSpec() returns nothing but XDP_PASS', () => {
  const listing = disassemble(queueCounterSpec({ port: 9000 }, 1).assembly);
  assert.equal(listing.match(/\bexit\b/g)?.length, 1);
  assert.match(listing.trim(), /r0 = 2\b[^\n]*\n[^\n]*exit$/);
});

test('queueCounterSpec() matches only the IP version of the source', () => {
  const flows = (flow: CountedFlow): string[] =>
    [...queueCounterSpec(flow, 1).assembly.labels.keys()].filter((label) => /^v\dflow/.test(label));
  assert.deepEqual(flows({ port: 9000 }), ['v4flow1', 'v6flow1']);
  assert.deepEqual(flows({ port: 9000, sourceAddress: '10.0.0.1' }), ['v4flow1']);
  assert.deepEqual(flows({ port: 9000, sourceAddress: new Uint8Array(16) }), ['v6flow1']);
});

test('queueCounterSpec() refuses what cannot be', () => {
  const refuses = (flow: CountedFlow, name: string, message: RegExp): void =>
    assert.throws(() => queueCounterSpec(flow, 1), { name, message });
  refuses({ port: 0 }, 'RangeError', /Cannot match UDP port 0/);
  refuses({ port: 1, sourceAddress: '10.0.0' }, 'TypeError', /10\.0\.0/);
  refuses({ port: 1, sourceAddress: new Uint8Array(5) }, 'TypeError', /an address of 5 bytes/);
  refuses({ port: 1, address: '::1', sourceAddress: '10.0.0.1' }, 'TypeError', /want one IP version/);
  for (const sourcePort of [0, 65536, 0.5]) {
    refuses({ port: 1, sourcePort }, 'RangeError', /Cannot count flow of source port/);
  }
});
