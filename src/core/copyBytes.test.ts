import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { copyBytes } from './copyBytes.ts';

it('copyBytes() copies just the bytes it was told, at any offsets and of any length', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.nat(9), fc.nat(70), (from, to, len) => {
      const source = Uint8Array.from({ length: 80 }, (_, i) => i + 1);
      const target = new Uint8Array(80);
      copyBytes(new DataView(source.buffer), from, new DataView(target.buffer), to, len);
      const wanted = new Uint8Array(80);
      wanted.set(source.subarray(from, from + len), to);
      assert.deepEqual(target, wanted);
    }),
  );
});
