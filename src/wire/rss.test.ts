import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RssField, type RssFlow, rssInput, rssQueue } from './rss.ts';
import { toeplitzHash } from './toeplitz.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 300;

/** The key of Microsoft's "Verifying the RSS hash calculation". */
const key = Uint8Array.from(
  Buffer.from('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa', 'hex'),
);

/** Destination, source, hash over the addresses, hash over addresses and ports: the table of the same page. */
const published = [
  ['161.142.100.80', 1766, '66.9.149.187', 2794, 0x323e8fc2, 0x51ccc178],
  ['65.69.140.83', 4739, '199.92.111.2', 14230, 0xd718262a, 0xc626b0ea],
  ['12.22.207.184', 38024, '24.19.198.95', 12898, 0xd2d0a5de, 0x5c2b394a],
  ['209.142.163.6', 2217, '38.27.205.30', 48228, 0x82989176, 0xafc7327f],
  ['202.188.127.2', 1303, '153.39.163.191', 44251, 0x5d1809c5, 0x10e828a2],
  ['3ffe:2501:200:3::1', 1766, '3ffe:2501:200:1fff::7', 2794, 0x2cc18cd5, 0x40207d3d],
  ['ff02::1', 4739, '3ffe:501:8::260:97ff:fe40:efab', 14230, 0x0f0c461c, 0xdde51bbf],
  ['fe80::200:f8ff:fe21:67cf', 38024, '3ffe:1900:4545:3:200:f8ff:fe21:67cf', 44251, 0x4b61e985, 0x02d1feef],
] as const;

const ADDRESSES: readonly RssField[] = ['sourceAddress', 'destinationAddress'];
const ALL: readonly RssField[] = [...ADDRESSES, 'sourcePort', 'destinationPort'];

const flowOf = ([
  destinationAddress,
  destinationPort,
  sourceAddress,
  sourcePort,
]: (typeof published)[number]) =>
  ({ sourceAddress, destinationAddress, sourcePort, destinationPort }) satisfies RssFlow;

test('rssInput() and toeplitzHash() give every hash that Microsoft publishes for IPv4 and IPv6', () => {
  for (const row of published) {
    const [destination, , , , addresses, all] = row;
    assert.equal(toeplitzHash(key, rssInput(flowOf(row), { fields: ADDRESSES })), addresses, destination);
    assert.equal(toeplitzHash(key, rssInput(flowOf(row), { fields: ALL })), all, destination);
  }
});

test('rssInput() orders the fields as NICs do, however they are listed', () => {
  const flow = {
    sourceAddress: '10.0.0.1',
    destinationAddress: Uint8Array.of(10, 0, 0, 2),
    sourcePort: 0x1234,
    destinationPort: 0x5678,
  };
  const bytes = (fields: readonly RssField[]): number[] => [...rssInput(flow, { fields })];
  assert.deepEqual(bytes(ALL.toReversed()), [10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x56, 0x78]);
  assert.deepEqual(bytes(['destinationPort', 'destinationAddress']), [10, 0, 0, 2, 0x56, 0x78]);
  assert.deepEqual(bytes([]), []);
});

test('rssInput() mixes source and destination as symmetric hashing does', () => {
  const flow = {
    sourceAddress: '10.0.0.1',
    destinationAddress: '10.0.0.2',
    sourcePort: 6,
    destinationPort: 3,
  };
  const mixed = (symmetry: 'xor' | 'or-xor'): number[] => [...rssInput(flow, { fields: ALL, symmetry })];
  assert.deepEqual(mixed('xor'), [0, 0, 0, 3, 0, 0, 0, 3, 0, 5, 0, 5]);
  assert.deepEqual(mixed('or-xor'), [10, 0, 0, 3, 0, 0, 0, 3, 0, 7, 0, 5]);
});

test('rssQueue() of symmetric hashing puts both directions of a flow on one nicQueue', () => {
  const port = fc.nat({ max: 0xffff });
  const table = Array.from({ length: 128 }, (_, i) => i);
  fc.assert(
    fc.property(
      fc.ipV4(),
      fc.ipV4(),
      port,
      port,
      fc.constantFrom('xor' as const, 'or-xor' as const),
      (a, b, from, to, symmetry) => {
        const settings = { key, table, fields: ALL, symmetry };
        const there = { sourceAddress: a, destinationAddress: b, sourcePort: from, destinationPort: to };
        const back = { sourceAddress: b, destinationAddress: a, sourcePort: to, destinationPort: from };
        assert.deepEqual(rssQueue(settings, there), rssQueue(settings, back));
      },
    ),
    { numRuns: NUM_RUNS },
  );
});

test('rssQueue() takes the entry of the table under the lowest bits of the hash', () => {
  const flow = flowOf(published[0]);
  const table = Array.from({ length: 128 }, (_, i) => i + 1000);
  assert.deepEqual(rssQueue({ key, table, fields: ALL }, flow), { queue: 1000 + 0x78, hash: 0x51ccc178 });
  assert.equal(rssQueue({ key, table: [0, 1, 2], fields: ALL }, flow).queue, 0x51ccc178 % 3);
});

test('rssQueue() needs no field that is not hashed, and names one that is and is unknown', () => {
  const { sourcePort: _, ...flow } = flowOf(published[1]);
  assert.equal(rssQueue({ key, table: [7], fields: ADDRESSES }, flow).hash, 0xd718262a);
  assert.throws(() => rssQueue({ key, table: [7], fields: ALL }, flow), {
    name: 'TypeError',
    message: /its sourcePort is hashed and must be known/,
  });
});

test('rssQueue() refuses what cannot be', () => {
  const flow = flowOf(published[0]);
  const settings = { key, table: [0], fields: ALL };
  assert.throws(() => rssQueue({ ...settings, table: [] }, flow), /the table is empty/);
  assert.throws(() => rssQueue({ ...settings, key: key.subarray(0, 15) }, flow), RangeError);
  assert.throws(
    () => rssQueue(settings, { ...flow, sourceAddress: '::1' }),
    /from ::1 to 161.*one IP version/,
  );
  assert.throws(() => rssQueue(settings, { ...flow, sourcePort: 65536 }), RangeError);
});
