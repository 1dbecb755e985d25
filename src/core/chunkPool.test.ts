import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Burst } from './burst.ts';
import type { ChunkCounts } from './chunkLedger.ts';
import { ChunkOwner } from './chunkLedger.ts';
import { ChunkPool } from './chunkPool.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;

test('take() gives every chunk once, the lowest first, and then -1', () => {
  const pool = new ChunkPool({ count: 3, chunkLen: 2048, base: 4096 });
  assert.deepEqual([pool.take(), pool.take(), pool.take(), pool.take()], [4096, 6144, 8192, -1]);
  assert.equal(pool.free, 0);
});

test('take() gives back first what was put last', () => {
  const pool = new ChunkPool({ count: 4, chunkLen: 2048 });
  for (let i = 0; i < 3; i++) pool.take();
  pool.put(2048);
  pool.put(0);
  assert.deepEqual([pool.take(), pool.take(), pool.take(), pool.take()], [0, 2048, 6144, -1]);
});

test('put() finds the chunk around any address, for chunks of any size', () => {
  for (const chunkLen of [2048, 4096, 3000, 1]) {
    const pool = new ChunkPool({ count: 4, chunkLen, base: chunkLen * 7 });
    for (let i = 0; i < 4; i++) pool.take();
    for (let i = 0; i < 4; i++) pool.put(chunkLen * (7 + i) + (chunkLen - 1));
    assert.deepEqual([pool.take(), pool.take()], [chunkLen * 10, chunkLen * 9]);
    assert.equal(pool.chunkOf(chunkLen * 8), chunkLen * 8);
  }
});

test('takeInto() takes what there is and writes nothing else', () => {
  const pool = new ChunkPool({ count: 3, chunkLen: 2048 });
  const to = new Uint32Array(6).fill(9);
  assert.equal(pool.takeInto(to, 1, 2), 2);
  assert.deepEqual([...to], [9, 0, 2048, 9, 9, 9]);
  assert.equal(pool.takeInto(to, 4, 2), 1);
  assert.deepEqual([...to], [9, 0, 2048, 9, 4096, 9]);
  assert.equal(pool.takeInto(to, 0, 2), 0);
});

test('putFrom() gives back exactly the named entries', () => {
  const pool = new ChunkPool({ count: 4, chunkLen: 2048 });
  const held = new Uint32Array(4);
  pool.takeInto(held, 0, 4);
  pool.putFrom(held, 1, 2);
  assert.equal(pool.free, 2);
  assert.deepEqual([pool.take(), pool.take(), pool.take()], [4096, 2048, -1]);
});

test('put() of more chunks than there are throws and changes nothing', () => {
  const pool = new ChunkPool({ count: 2, chunkLen: 2048 });
  assert.throws(() => pool.put(0), /RangeError: Cannot put a chunk back: all 2 are free/);
  assert.equal(pool.free, 2);
});

test('a double recycle throws in debug mode and changes nothing', () => {
  const pool = new ChunkPool({ count: 3, chunkLen: 2048, debug: true });
  const addr = pool.take();
  pool.take();
  pool.put(addr);
  assert.throws(
    () => pool.put(addr),
    /Cannot move chunk at 0 from application to free: its owner is free, last taken/,
  );
  assert.equal(pool.free, 2);
});

test('put() of a chunk that the kernel owns throws in debug mode', () => {
  const pool = new ChunkPool({ count: 1, chunkLen: 2048, debug: true });
  const addr = pool.take();
  pool.ledger!.move(addr, ChunkOwner.application, ChunkOwner.fill);
  assert.throws(() => pool.put(addr), /its owner is fill/);
});

test('new ChunkPool() names what is wrong with its spec', () => {
  const cases: [{ count: number; chunkLen: number; base?: number }, RegExp][] = [
    [{ count: 0, chunkLen: 2048 }, /count .* got 0/],
    [{ count: 1.5, chunkLen: 2048 }, /count .* got 1.5/],
    [{ count: 1, chunkLen: 0 }, /chunkLen .* got 0/],
    [{ count: 1, chunkLen: 2048, base: 100 }, /base must be a multiple of 2048 bytes, got 100/],
    [{ count: 1, chunkLen: 2048, base: -2048 }, /base .* got -2048/],
    [{ count: 2 ** 20, chunkLen: 2048 }, /last byte must lie below 2147483647/],
  ];
  for (const [spec, message] of cases) assert.throws(() => new ChunkPool(spec), message);
  assert.equal(new ChunkPool({ count: 2 ** 20 - 1, chunkLen: 2048 }).free, 2 ** 20 - 1);
});

// What may happen to a chunk, wherever it is; anything else has to throw and change nothing.
const { free, fill, application, tx, completion } = ChunkOwner;
const LEGAL: readonly (readonly [ChunkOwner, ChunkOwner])[] = [
  [application, fill],
  [fill, application],
  [application, tx],
  [tx, completion],
];

function sumOf(counts: ChunkCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

test('chunks are conserved in any order of operations, illegal ones included', () => {
  const operation = fc.record({
    kind: fc.constantFrom('take', 'takeInto', 'put', 'move', 'move'),
    chunk: fc.nat(7),
    inside: fc.nat(2047),
    n: fc.nat(10),
    step: fc.constantFrom(...LEGAL),
  });
  const property = fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const pool = new ChunkPool({ count: 8, chunkLen: 2048, debug: true });
    const ledger = pool.ledger!;
    const model = new Array<ChunkOwner>(8).fill(free);
    const freeInModel = (): number => model.filter((owner) => owner === free).length;
    const taken = (addr: number): void => {
      assert.equal(model[addr / 2048], free);
      model[addr / 2048] = application;
    };
    for (const { kind, chunk, inside, n, step } of operations) {
      const addr = chunk * 2048 + inside;
      const owner = model[chunk]!;
      if (kind === 'take') {
        const got = pool.take();
        if (freeInModel() === 0) assert.equal(got, -1);
        else taken(got);
      } else if (kind === 'takeInto') {
        const to = new Uint32Array(10);
        const expected = Math.min(n, freeInModel());
        assert.equal(pool.takeInto(to, 0, n), expected);
        for (let i = 0; i < expected; i++) taken(to[i]!);
      } else if (kind === 'put') {
        if (owner === application || owner === completion) {
          pool.put(addr);
          model[chunk] = free;
        } else assert.throws(() => pool.put(addr), /its owner is/);
      } else if (owner === step[0]) {
        ledger.move(addr, step[0], step[1]);
        model[chunk] = step[1];
      } else assert.throws(() => ledger.move(addr, step[0], step[1]), /its owner is/);

      const counts = ledger.audit();
      assert.equal(sumOf(counts), 8);
      assert.equal(counts.free, pool.free);
      for (let i = 0; i < 8; i++) assert.equal(ledger.ownerOf(i * 2048), model[i]);
    }
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});

test('allocInto() appends frames behind those that are there, as far as chunks and room go', () => {
  const pool = new ChunkPool({ count: 5, chunkLen: 2048 });
  const burst = new Burst(4);
  burst.count = 1;
  burst.len.fill(77);
  burst.flags.fill(7);
  assert.equal(pool.allocInto(burst, 2, 3, 100), 2);
  assert.deepEqual([...burst.addr.subarray(1, 3)], [100, 2148]);
  assert.deepEqual([...burst.len.subarray(0, 3)], [77, 0, 0]);
  assert.deepEqual([...burst.region.subarray(0, 3)], [0, 3, 3]);
  assert.deepEqual([...burst.flags.subarray(0, 3)], [7, 0, 0]);
  assert.equal(pool.allocInto(burst, 5, 3, 100), 1, 'the burst has room for one more');
  assert.equal(burst.count, 4);
  assert.equal(pool.allocInto(new Burst(4), 4, 0, 0), 2, 'the pool has two more');
});
