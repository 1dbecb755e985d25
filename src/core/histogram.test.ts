import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram } from './histogram.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 5_000 : 100;
const PERCENTILES = [0, 0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100];

// As many values of each order of magnitude: a uniform range would hardly ever produce a small one.
const valueNs: fc.Arbitrary<number> = fc
  .tuple(fc.nat(36), fc.double({ min: 1, max: 2, maxExcluded: true, noNaN: true }))
  .map(([exponent, mantissa]) => Math.floor(2 ** exponent * mantissa));

function of(...values: number[]): Histogram {
  const histogram = Histogram.create();
  for (const value of values) histogram.record(value);
  return histogram;
}

function exact(sorted: readonly number[], p: number): number {
  return p === 0 ? sorted[0]! : sorted[Math.ceil((p * sorted.length) / 100) - 1]!;
}

test('an empty histogram has no statistics', () => {
  const histogram = Histogram.create();
  assert.equal(histogram.count, 0);
  for (const p of PERCENTILES) assert.equal(histogram.percentile(p), NaN);
  assert.deepEqual([histogram.min, histogram.max, histogram.mean], [NaN, NaN, NaN]);
});

test('percentiles are never below the exact value and at most 1/128 above it', () => {
  const property = fc.property(fc.array(valueNs, { minLength: 1, maxLength: 300 }), (values) => {
    const histogram = of(...values);
    const sorted = values.toSorted((a, b) => a - b);
    for (const p of PERCENTILES) {
      const want = exact(sorted, p);
      const got = histogram.percentile(p);
      assert.ok(got >= want && got <= want + want / 128, `p${p}: ${got} for ${want}`);
    }
    assert.equal(histogram.count, values.length);
    assert.equal(histogram.min, sorted[0]);
    assert.equal(histogram.max, sorted.at(-1));
    assert.equal(histogram.percentile(100), sorted.at(-1));
    assert.equal(histogram.last, values.at(-1));
    assert.equal(histogram.mean, values.reduce((sum, value) => sum + value, 0) / values.length);
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});

test('record() is exact below 256 ns and stays within 1/128 at every power of two', () => {
  for (let value = 0; value < 256; value++) assert.equal(of(value, 2 ** 36).percentile(50), value);
  for (let exponent = 8; exponent <= 36; exponent++) {
    for (const value of [2 ** exponent - 1, 2 ** exponent, 2 ** exponent + 1]) {
      const got = of(value, Histogram.MAX_NS).percentile(50);
      assert.ok(got >= value && got <= value * (1 + 1 / 128), `${got} for ${value}`);
    }
  }
});

test('record() tells 100 s from 101 s', () => {
  const histogram = of(100e9, 101e9);
  assert.ok(Math.abs(histogram.percentile(50) - 100e9) < 100e9 / 128);
  assert.equal(histogram.above, 0);
});

test('record() of a value above the range, or NaN, saturates and is counted', () => {
  const histogram = of(1, 2 ** 37, 1e300, Infinity, NaN);
  assert.deepEqual([histogram.count, histogram.above, histogram.below], [5, 4, 0]);
  assert.equal(histogram.max, Histogram.MAX_NS);
  assert.equal(histogram.percentile(99), Histogram.MAX_NS);
  assert.ok(Number.isFinite(histogram.mean));
  assert.equal(of(Histogram.MAX_NS).above, 0);
});

test('record() of a negative value counts as 0 and is counted', () => {
  const histogram = of(-1, -1e12, -Infinity, 5);
  assert.deepEqual([histogram.count, histogram.below, histogram.min, histogram.max], [4, 3, 0, 5]);
  assert.equal(histogram.percentile(50), 0);
});

test('percentile() rejects what is no percentage', () => {
  for (const p of [-1, 100.1, NaN]) {
    assert.throws(() => of(1).percentile(p), new RegExp(`RangeError: .*0 to 100, got ${p}`));
  }
});

test('merge() of two histograms is the histogram of all their values', () => {
  const property = fc.property(fc.array(valueNs), fc.array(valueNs), (left, right) => {
    const merged = of(...left, -1);
    merged.merge(of(...right, 1e12));
    const both = of(...left, -1, ...right, 1e12);
    for (const p of PERCENTILES) assert.equal(merged.percentile(p), both.percentile(p));
    assert.deepEqual(
      [merged.count, merged.min, merged.max, merged.above, merged.below],
      [both.count, both.min, both.max, 1, 1],
    );
    assert.ok(Math.abs(merged.mean - both.mean) <= both.mean * 1e-12);
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});

test('merge() with an empty histogram changes nothing, either way round', () => {
  const histogram = of(7, 9);
  histogram.merge(Histogram.create());
  const other = Histogram.create();
  other.merge(histogram);
  for (const h of [histogram, other]) assert.deepEqual([h.count, h.min, h.max, h.mean], [2, 7, 9, 8]);
});

test('snapshot() no longer changes, and clear() forgets everything', () => {
  const histogram = of(1, 2, 3, -1, Infinity);
  const snapshot = histogram.snapshot();
  histogram.clear();
  assert.deepEqual([histogram.count, histogram.above, histogram.below, histogram.max], [0, 0, 0, NaN]);
  assert.deepEqual([snapshot.count, snapshot.above, snapshot.below, snapshot.min], [5, 1, 1, 0]);
});

test('open() sees what the other side records, and writes nothing', () => {
  const memory = new SharedArrayBuffer(Histogram.SIZE + 8);
  const writer = Histogram.create(memory, 8);
  const before = new Uint8Array(memory).slice();
  const reader = Histogram.open(memory, 8);
  assert.equal(reader.percentile(50), NaN);
  assert.deepEqual(new Uint8Array(memory), new Uint8Array(before));
  writer.record(42);
  assert.deepEqual([reader.count, reader.percentile(50)], [1, 42]);
});

test('create() and open() reject a place that is unaligned or too small', () => {
  const memory = new ArrayBuffer(Histogram.SIZE);
  assert.throws(() => Histogram.create(memory, 4), /RangeError: .*multiple of 8 bytes, got 4/);
  assert.throws(() => Histogram.create(memory, 8), /RangeError: .*needs \d+ bytes from offset 8/);
  assert.throws(() => Histogram.open(memory, -8), RangeError);
  assert.throws(
    () => Histogram.open(memory, 0),
    /magic, version, buckets must be 0x53484257, 1, 3968, got 0x0, 0, 0/,
  );
});
