import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHashedFields, decodeRss } from './ethtoolRss.ts';

/** An answer as the kernel lays it out: struct ethtool_rxfh of 24 bytes, the table, the key. */
function answer(
  hashFunction: number,
  transform: number,
  table: number[],
  key: number[],
): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(24 + 4 * table.length + key.length));
  view.setUint32(8, table.length, true);
  view.setUint32(12, key.length, true);
  view.setUint8(16, hashFunction);
  view.setUint8(17, transform);
  for (const [i, queue] of table.entries()) view.setUint32(24 + 4 * i, queue, true);
  new Uint8Array(view.buffer).set(key, 24 + 4 * table.length);
  return view;
}

test('decodeRss() finds the table behind the struct and the key behind the table', () => {
  assert.deepEqual(decodeRss(answer(1, 0, [0, 1, 2, 70000], [9, 8, 7])), {
    hashFunction: 'toeplitz',
    key: Uint8Array.of(9, 8, 7),
    table: Uint32Array.of(0, 1, 2, 70000),
    symmetry: undefined,
  });
  const bare = decodeRss(answer(0, 0, [], []));
  assert.deepEqual([bare.key.length, bare.table.length], [0, 0]);
});

test('decodeRss() names hash functions and symmetries', () => {
  const named = [1, 2, 4, 0, 8].map((bit) => decodeRss(answer(bit, 0, [], [])).hashFunction);
  assert.deepEqual(named, ['toeplitz', 'xor', 'crc32', 'unknown', 'unknown']);
  const symmetries = [0, 1, 2].map((bits) => decodeRss(answer(1, bits, [], [])).symmetry);
  assert.deepEqual(symmetries, [undefined, 'xor', 'or-xor']);
});

test('decodeHashedFields() names the fields and does not hide that there are others', () => {
  assert.deepEqual(decodeHashedFields(0), []);
  assert.deepEqual(decodeHashedFields(0x30), ['sourceAddress', 'destinationAddress']);
  assert.deepEqual(decodeHashedFields(0xc0), ['sourcePort', 'destinationPort']);
  assert.deepEqual(decodeHashedFields(0x34), ['sourceAddress', 'destinationAddress', 'other']);
  assert.deepEqual(decodeHashedFields(0x80000000), ['other']);
});
