import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIp } from '../wire/index.ts';
import { type FlowEntry, FlowTable } from './flowTable.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 300;

function entry(owner: number, port: number, address?: string): FlowEntry {
  const bytes = address === undefined ? undefined : parseIp(address);
  return { owner, port, address: bytes, version: bytes?.length === 16 ? 6 : 4 };
}

/** Looks an address up where it does not stand at the start of its view. */
function find(table: FlowTable, port: number, address: string): number {
  const bytes = parseIp(address);
  const memory = new Uint8Array(40).fill(0xa5);
  memory.set(bytes, 7);
  return table.find(bytes.length === 4 ? 4 : 6, port, new DataView(memory.buffer), 7);
}

test('FlowTable finds the owner of a port, whatever the address', () => {
  const table = new FlowTable([entry(0, 9000), entry(1, 9001)]);
  assert.equal(find(table, 9000, '10.0.0.1'), 0);
  assert.equal(find(table, 9001, '10.0.0.2'), 1);
  assert.equal(find(table, 9002, '10.0.0.1'), -1);
});

test('FlowTable puts an entry with the address before one for any, in either order', () => {
  for (const entries of [
    [entry(0, 9000), entry(1, 9000, '10.0.0.2')],
    [entry(1, 9000, '10.0.0.2'), entry(0, 9000)],
  ]) {
    const table = new FlowTable(entries);
    assert.equal(find(table, 9000, '10.0.0.2'), 1);
    assert.equal(find(table, 9000, '10.0.0.3'), 0);
  }
});

test('FlowTable keeps IPv4 and IPv6 apart', () => {
  const table = new FlowTable([entry(0, 9000), entry(1, 9001, 'fd00::1')]);
  assert.equal(find(table, 9000, 'fd00::1'), -1);
  assert.equal(find(table, 9001, 'fd00::1'), 1);
  assert.equal(find(table, 9001, 'fd00::2'), -1);
  assert.equal(find(table, 9001, '0.0.0.1'), -1);
});

test('FlowTable answers with the first of two entries for the same end', () => {
  assert.equal(find(new FlowTable([entry(4, 9000), entry(5, 9000)]), 9000, '10.0.0.1'), 4);
  const named = [entry(4, 9000, '10.0.0.1'), entry(5, 9000, '10.0.0.1')];
  assert.equal(find(new FlowTable(named), 9000, '10.0.0.1'), 4);
});

test('FlowTable answers as a search through the list does', () => {
  const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.1.1', 'fd00::1', 'fd00::1:0:0:1');
  const port = fc.constantFrom(1, 9, 17, 9000, 9008, 65_535);
  const one = fc.record({ port, address: fc.option(address, { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 40 }), port, address, (list, wantedPort, wanted) => {
      const entries = list.map((each, owner) => entry(owner, each.port, each.address));
      const version = wanted.includes(':') ? 6 : 4;
      const matches = entries.filter((each) => each.port === wantedPort && each.version === version);
      const named = matches.find((each) => each.address && `${each.address}` === `${parseIp(wanted)}`);
      const expected = named ?? matches.find((each) => each.address === undefined);
      assert.equal(find(new FlowTable(entries), wantedPort, wanted), expected?.owner ?? -1);
    }),
    { numRuns: RUNS },
  );
});
