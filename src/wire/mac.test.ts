import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMac, parseMac } from './mac.ts';

test('parseMac() takes colons, hyphens and either case', () => {
  const expected = Uint8Array.of(0x02, 0, 0, 0xab, 0xcd, 0xef);
  for (const text of ['02:00:00:ab:cd:ef', '02-00-00-AB-CD-EF', '02:00:00:aB:Cd:EF']) {
    assert.deepEqual(parseMac(text), expected);
  }
});

test('parseMac() refuses anything else and names it', () => {
  for (const text of [
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:01:02',
    '2:0:0:0:0:1',
    '02:00-00:00:00:01',
    'g2:00:00:00:00:01',
    ' 02:00:00:00:00:01',
    '020000000001',
  ]) {
    assert.throws(() => parseMac(text), { name: 'TypeError', message: new RegExp(`MAC address "${text}"`) });
  }
});

test('formatMac() writes what parseMac() reads', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      assert.deepEqual(parseMac(formatMac(bytes)), bytes);
    }),
  );
  assert.equal(formatMac(Uint8Array.of(2, 0, 0, 0xab, 0xcd, 0xef)), '02:00:00:ab:cd:ef');
});

test('formatMac() refuses what is not six bytes', () => {
  assert.throws(() => formatMac(new Uint8Array(5)), { name: 'TypeError', message: /5 bytes: wanted 6/ });
});
