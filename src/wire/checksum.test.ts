import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { computeChecksum, foldSum, isChecksumValid, sumWords, updateChecksum } from './checksum.ts';
import { slowChecksum } from './frames.case.test.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 500;

const memory = fc.uint8Array({ minLength: 0, maxLength: 300 });
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

test('computeChecksum() gives the sum of the example in RFC 1071', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(computeChecksum(viewOf(bytes), 0, 8), ~0xddf2 & 0xffff);
});

test('computeChecksum() agrees with the sum word by word at any offset and length', () => {
  fc.assert(
    fc.property(memory, fc.nat(), fc.nat(), (bytes, a, b) => {
      const offset = a % (bytes.length + 1);
      const len = b % (bytes.length - offset + 1);
      const expected = slowChecksum([...bytes.subarray(offset, offset + len)]);
      assert.equal(computeChecksum(viewOf(bytes), offset, len), expected);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('sumWords() continues a sum wherever it was cut at an even length', () => {
  fc.assert(
    fc.property(memory, fc.nat(), (bytes, a) => {
      const cut = (a % (bytes.length + 1)) & ~1;
      const first = sumWords(viewOf(bytes), 0, cut, 0);
      const both = sumWords(viewOf(bytes), cut, bytes.length - cut, first);
      assert.equal(foldSum(both), foldSum(sumWords(viewOf(bytes), 0, bytes.length, 0)));
    }),
    { numRuns: NUM_RUNS },
  );
});

test('computeChecksum() loses no carry over the longest packet', () => {
  for (const fill of [0xff, 0x80, 0x7f]) {
    const bytes = new Uint8Array(65_535).fill(fill);
    assert.equal(computeChecksum(viewOf(bytes), 0, bytes.length), slowChecksum([...bytes]));
  }
});

test('isChecksumValid() holds for bytes with their checksum and for none of their neighbours', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 100 }), fc.nat(), (bytes, a) => {
      const view = viewOf(bytes);
      view.setUint16(2, 0);
      view.setUint16(2, computeChecksum(view, 0, bytes.length));
      assert.ok(isChecksumValid(view, 0, bytes.length));
      // A change by 1 moves the sum by 1 or by 256, which is never a multiple of 65,535.
      const at = a % bytes.length;
      bytes[at] = bytes[at]! ^ 1;
      assert.ok(!isChecksumValid(view, 0, bytes.length));
    }),
    { numRuns: NUM_RUNS },
  );
});

test('updateChecksum() gives the zero of the example in RFC 1624', () => {
  assert.equal(updateChecksum(0xdd2f, 0x5555, 0x3285), 0x0000);
});

test('updateChecksum() agrees with a sum over the changed bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 60 }), fc.nat({ max: 0xffff }), (bytes, after) => {
      const view = viewOf(bytes);
      // RFC 1624 §4 leaves one case open, all other words zero, which no header is.
      view.setUint16(0, 0x4500);
      view.setUint16(2, 0);
      const checksum = computeChecksum(view, 0, bytes.length);
      const updated = updateChecksum(checksum, view.getUint16(4), after);
      view.setUint16(4, after);
      assert.equal(updated, computeChecksum(view, 0, bytes.length));
    }),
    { numRuns: NUM_RUNS },
  );
});
