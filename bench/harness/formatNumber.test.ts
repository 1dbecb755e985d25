import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNumber } from './formatNumber.ts';

test('formatNumber() writes three significant digits', () => {
  assert.equal(formatNumber(123.456), '123');
  assert.equal(formatNumber(12.3456), '12.3');
  assert.equal(formatNumber(1.23456), '1.23');
  assert.equal(formatNumber(0.123456), '0.123');
  assert.equal(formatNumber(-12.3456), '-12.3');
});

test('formatNumber() keeps every digit of a whole number', () => {
  assert.equal(formatNumber(1234567), '1234567');
  assert.equal(formatNumber(0), '0');
});
