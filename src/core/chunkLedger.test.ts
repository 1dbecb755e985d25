import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkLedger, ChunkOwner } from './chunkLedger.ts';

const { free, fill, application, tx } = ChunkOwner;

test('a new ledger owns every chunk as free', () => {
  const ledger = new ChunkLedger({ count: 5, chunkLen: 2048 });
  assert.deepEqual(ledger.audit(), { free: 5, fill: 0, application: 0, tx: 0, completion: 0 });
});

test('move() takes any address inside the chunk', () => {
  const ledger = new ChunkLedger({ count: 2, chunkLen: 2048, base: 4096 });
  ledger.move(4096 + 2048 + 256, free, application);
  assert.equal(ledger.ownerOf(4096 + 2048), application);
  assert.equal(ledger.ownerOf(4096 + 2047), free);
});

test('move() by one who is not the owner says who is and where the chunk was taken', () => {
  const ledger = new ChunkLedger({ count: 2, chunkLen: 2048 });
  (function takeForTheTest() {
    ledger.move(2048, free, application);
  })();
  ledger.move(2048, application, tx);
  assert.throws(
    () => ledger.move(2048, application, free),
    /Cannot move chunk at 2048 from application to free: its owner is tx, last taken\n +at takeForTheTest/,
  );
  assert.throws(() => ledger.move(0, fill, application), /its owner is free, and it was never taken/);
});

test('move() and ownerOf() reject an address outside every chunk', () => {
  const ledger = new ChunkLedger({ count: 2, chunkLen: 2048, base: 2048 });
  for (const addr of [2047, 6144, -1, NaN]) {
    assert.throws(() => ledger.ownerOf(addr), new RegExp(`RangeError: .*2048 to 6143, got ${addr}`));
    assert.throws(() => ledger.move(addr, free, fill), RangeError);
  }
});

test('assertNone() names the number of chunks and the first one', () => {
  const ledger = new ChunkLedger({ count: 4, chunkLen: 2048 });
  ledger.assertNone(application);
  ledger.move(4096, free, application);
  ledger.move(6144, free, application);
  assert.throws(
    () => ledger.assertNone(application),
    /Cannot account for 2 chunks; the first, at 4096, is with application, last taken/,
  );
});
