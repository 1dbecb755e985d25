import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, formatMac, parseIp, parseMac, parsePrefix } from './ipAddress.ts';

test('parseIp() and formatIp() invert each other', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const { bytes } = parseIp(text);
      assert.deepEqual(parseIp(formatIp(bytes)).bytes, bytes);
    }),
  );
});

test('formatIp() writes IPv6 in its canonical short form', () => {
  assert.equal(formatIp(parseIp('FD00:0:0:0:0:0:0:1').bytes), 'fd00::1');
  assert.equal(formatIp(new Uint8Array(16)), '::');
  assert.equal(formatIp(parseIp('10.0.0.1').bytes), '10.0.0.1');
});

test('parseIp() refuses what is no address, and zones', () => {
  for (const text of ['', '10.0.0', '10.0.0.256', 'host', 'fe80::1%eth0', '1::2::3']) {
    assert.throws(() => parseIp(text), TypeError, text);
  }
});

test('parsePrefix() takes the lengths that the family has', () => {
  assert.equal(parsePrefix('0.0.0.0/0').prefixLen, 0);
  assert.equal(parsePrefix('10.0.0.1/32').prefixLen, 32);
  assert.equal(parsePrefix('fd00::1/128').prefixLen, 128);
  for (const text of ['10.0.0.1', '10.0.0.1/33', '10.0.0.1/', '10.0.0.1/1/2', '10.0.0.1/-1', '::/129']) {
    assert.throws(() => parsePrefix(text), TypeError, text);
  }
});

test('parseMac() and formatMac() invert each other, and parseMac() refuses the rest', () => {
  assert.equal(formatMac(parseMac('02:Fc:00:00:00:01')), '02:fc:00:00:00:01');
  for (const text of [
    '',
    '02:fc:00:00:00',
    '02-fc-00-00-00-01',
    '02:fc:00:00:00:0g',
    '02:fc:00:00:00:01:02',
  ]) {
    assert.throws(() => parseMac(text), TypeError, text);
  }
});
