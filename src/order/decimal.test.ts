import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDecimal, highHalf, joinHalves, lowHalf, parseDecimal } from './decimal.ts';

const MAX = 2n ** 64n - 1n;
const u64 = fc.bigInt({ min: 0n, max: MAX });

test('parseDecimal() reads digits with up to eight decimals', () => {
  assert.equal(parseDecimal('0'), 0n);
  assert.equal(parseDecimal('1'), 100_000_000n);
  assert.equal(parseDecimal('101.25'), 10_125_000_000n);
  assert.equal(parseDecimal('0.00000001'), 1n);
  assert.equal(parseDecimal('007.50'), 750_000_000n);
  assert.equal(parseDecimal('184467440737.09551615'), MAX);
});

test('parseDecimal() rejects what is no decimal or does not fit, and names it', () => {
  for (const text of [
    '',
    ' 1',
    '1 ',
    '-1',
    '+1',
    '.5',
    '5.',
    '1,5',
    '1e3',
    '0x10',
    '1.123456789',
    '٣',
    '184467440737.09551616',
    '999999999999',
    '1000000000000',
  ]) {
    assert.throws(
      () => parseDecimal(text),
      (error) => error instanceof RangeError && error.message.endsWith(`got "${text}"`),
      text,
    );
  }
});

test('formatDecimal() writes the shortest exact form', () => {
  assert.equal(formatDecimal(0n), '0');
  assert.equal(formatDecimal(10_125_000_000n), '101.25');
  assert.equal(formatDecimal(1n), '0.00000001');
  assert.equal(formatDecimal(100_000_000_000n), '1000');
  assert.equal(formatDecimal(MAX), '184467440737.09551615');
  assert.equal(formatDecimal(2n ** 90n), '12379400392853802748.99124224');
});

test('formatDecimal() rejects a negative value', () => {
  assert.throws(() => formatDecimal(-1n), /wanted at least 0, got -1/);
});

test('parseDecimal() undoes formatDecimal() for every u64', () => {
  fc.assert(fc.property(u64, (value) => parseDecimal(formatDecimal(value)) === value));
});

test('joinHalves() undoes lowHalf() and highHalf(), which are int32', () => {
  fc.assert(
    fc.property(u64, (value) => {
      const lo = lowHalf(value);
      const hi = highHalf(value);
      assert.equal(lo, lo | 0);
      assert.equal(hi, hi | 0);
      assert.equal(joinHalves(lo, hi), value);
      assert.equal(joinHalves(lo >>> 0, hi >>> 0), value);
    }),
  );
});

test('lowHalf() and highHalf() reject what is no u64', () => {
  for (const half of [lowHalf, highHalf]) {
    assert.throws(() => half(-1n), /wanted 0 to 18446744073709551615, got -1/);
    assert.throws(() => half(MAX + 1n), /got 18446744073709551616/);
  }
});
