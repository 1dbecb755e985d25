import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toeplitzHash } from './toeplitz.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 500;

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

/** A key and two inputs of one length that it is long enough for. */
const keyAndInputs = fc
  .nat({ max: 36 })
  .chain((len) => fc.tuple(fc.uint8Array({ minLength: len + 4, maxLength: 52 }), bytes(len), bytes(len)));

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i]!);

/** The definition, with the key as one long integer: bit i of the input adds bits i to i + 31 of the key. */
function bigHash(key: Uint8Array, input: Uint8Array): number {
  const whole = BigInt(`0x${Buffer.from(key).toString('hex')}`);
  let hash = 0n;
  for (let i = 0; i < input.length * 8; i++) {
    const set = (input[i >> 3]! >> (7 - (i & 7))) & 1;
    if (set === 1) hash ^= (whole >> BigInt(key.length * 8 - 32 - i)) & 0xffff_ffffn;
  }
  return Number(hash);
}

test('toeplitzHash() is the xor of the windows of the key under the set bits', () => {
  fc.assert(
    fc.property(keyAndInputs, ([key, input]) => {
      assert.equal(toeplitzHash(key, input), bigHash(key, input));
    }),
    { numRuns: NUM_RUNS },
  );
});

test('toeplitzHash() is linear: the hash of two inputs xored is the xor of their hashes', () => {
  fc.assert(
    fc.property(keyAndInputs, ([key, a, b]) => {
      const both = (toeplitzHash(key, a) ^ toeplitzHash(key, b)) >>> 0;
      assert.equal(toeplitzHash(key, xor(a, b)), both);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('toeplitzHash() of a repeated 16-bit key does not tell the two directions of a flow apart', () => {
  const key = Uint8Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0x6d : 0x5a));
  fc.assert(
    fc.property(bytes(4), bytes(4), bytes(2), bytes(2), (source, destination, from, to) => {
      const there = Uint8Array.of(...source, ...destination, ...from, ...to);
      const back = Uint8Array.of(...destination, ...source, ...to, ...from);
      assert.equal(toeplitzHash(key, there), toeplitzHash(key, back));
    }),
    { numRuns: NUM_RUNS },
  );
});

test('toeplitzHash() takes a key in the middle of its memory', () => {
  const memory = Uint8Array.from({ length: 60 }, (_, i) => i * 37);
  const input = Uint8Array.of(1, 2, 3, 255);
  assert.equal(toeplitzHash(memory.subarray(7, 20), input), toeplitzHash(memory.slice(7, 20), input));
});

test('toeplitzHash() refuses a key that ends before the input does', () => {
  assert.equal(toeplitzHash(new Uint8Array(16).fill(0xff), new Uint8Array(12)), 0);
  assert.throws(() => toeplitzHash(new Uint8Array(15), new Uint8Array(12)), {
    name: 'RangeError',
    message: /at least 16, it has 15/,
  });
});
