import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { btfFunctionIds } from './btf.ts';

const [INT, STRUCT, ENUM, FUNC, FUNC_PROTO, VAR, DATASEC, DECL_TAG, ENUM64] = [
  1, 4, 6, 12, 13, 14, 15, 17, 19,
] as const;

/** A type of a hand-made blob: what follows its 12 common bytes is given in words. */
interface Type {
  readonly kind: number;
  readonly name?: string;
  readonly vlen?: number;
  readonly rest?: number;
}

/** Builds a BTF blob; strings stand one after the other behind an empty one. */
function blob(types: readonly Type[], gap = 0): Uint8Array<ArrayBuffer> {
  let strings = '\0';
  const words: number[] = [];
  for (const { kind, name, vlen = 0, rest = 0 } of types) {
    words.push(
      name === undefined ? 0 : strings.length,
      (kind << 24) | vlen,
      0,
      ...new Array<number>(rest).fill(7),
    );
    if (name !== undefined) strings += `${name}\0`;
  }
  const typesLen = words.length * 4;
  const bytes = new Uint8Array(24 + gap + typesLen + gap + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  view.setUint32(4, 24, true);
  view.setUint32(8, gap, true);
  view.setUint32(12, typesLen, true);
  view.setUint32(16, gap + typesLen + gap, true);
  view.setUint32(20, strings.length, true);
  for (const [i, word] of words.entries()) view.setUint32(24 + gap + 4 * i, word, true);
  bytes.set(Buffer.from(strings, 'latin1'), 24 + gap + typesLen + gap);
  return bytes;
}

const ids = (bytes: Uint8Array, ...names: string[]): Record<string, number> =>
  Object.fromEntries(btfFunctionIds(bytes, names));

test('btfFunctionIds() counts types from 1, whatever their kinds and lengths', () => {
  const types: Type[] = [
    { kind: INT, name: 'int', rest: 1 },
    { kind: STRUCT, name: 'pair', vlen: 2, rest: 6 },
    { kind: FUNC_PROTO, vlen: 3, rest: 6 },
    { kind: FUNC, name: 'first' },
    { kind: ENUM, name: 'colour', vlen: 2, rest: 4 },
    { kind: ENUM64, name: 'wide', vlen: 1, rest: 3 },
    { kind: VAR, name: 'counter', rest: 1 },
    { kind: DATASEC, name: '.data', vlen: 1, rest: 3 },
    { kind: DECL_TAG, name: 'bpf_kfunc', rest: 1 },
    { kind: FUNC, name: 'second' },
  ];
  assert.deepEqual(ids(blob(types), 'second', 'first', 'third'), { first: 4, second: 10 });
  assert.deepEqual(ids(blob(types, 8), 'second'), { second: 10 }, 'sections apart');
});

test('btfFunctionIds() finds functions only, by their whole name, also when the string is the end of another', () => {
  const types: Type[] = [
    { kind: STRUCT, name: 'same' },
    { kind: FUNC, name: 'same_and_more' },
    { kind: FUNC, name: 'not_same' },
    { kind: FUNC, name: 'same' },
  ];
  assert.deepEqual(ids(blob(types), 'same'), { same: 4 });
  assert.deepEqual(ids(blob(types.slice(0, 3)), 'same'), {});
  const shared = blob(types.slice(2, 3));
  // The strings are `\0not_same\0`: a type may name the four letters in the middle.
  new DataView(shared.buffer).setUint32(24, 5, true);
  assert.deepEqual(ids(shared, 'same'), { same: 1 });
});

test('btfFunctionIds() reads a blob that lies within a larger buffer', () => {
  const bytes = blob([{ kind: FUNC, name: 'here' }]);
  const larger = new Uint8Array(bytes.length + 6);
  larger.set(bytes, 3);
  assert.deepEqual(ids(larger.subarray(3, 3 + bytes.length), 'here'), { here: 1 });
});

test('btfFunctionIds() refuses what is no BTF, and what it does not know', () => {
  const refused: readonly [RegExp, Uint8Array][] = [
    [/0 bytes are no header/, new Uint8Array(0)],
    [/23 bytes are no header/, blob([]).subarray(0, 23)],
    [/magic is 9feb, not eb9f/, blob([]).map((byte, i) => (i === 0 ? 0xeb : i === 1 ? 0x9f : byte))],
    [/type 2 is of kind 0/, blob([{ kind: FUNC, name: 'a' }, { kind: 0 }])],
    [/type 1 is of kind 20, known are 1 to 19/, blob([{ kind: 20 }])],
    [/type 1 is cut/, blob([{ kind: STRUCT, vlen: 2, rest: 5 }])],
  ];
  for (const [message, bytes] of refused) assert.throws(() => btfFunctionIds(bytes, ['a']), { message });
  const cut = blob([{ kind: FUNC, name: 'a' }]);
  assert.throws(() => btfFunctionIds(cut.subarray(0, -1), ['a']), /it has 38 bytes, and sections up to 39/);
  const uneven = cut.slice();
  new DataView(uneven.buffer).setUint32(12, 11, true);
  assert.throws(() => btfFunctionIds(uneven, ['a']), /type 1 is cut/);
});

test('btfFunctionIds() ends, with an answer or an Error of its own, for every damaged blob', () => {
  const whole = blob([
    { kind: STRUCT, name: 'pair', vlen: 2, rest: 6 },
    { kind: FUNC, name: 'first' },
    { kind: FUNC, name: 'second' },
  ]);
  const damage = fc.record({
    len: fc.nat(whole.length),
    bytes: fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(damage, ({ len, bytes }) => {
      const damaged = whole.slice(0, len);
      for (const [at, value] of bytes) if (at < len) damaged[at] = value;
      try {
        const found = btfFunctionIds(damaged, ['first', 'second']);
        assert.ok([...found.values()].every((id) => id >= 1 && id <= whole.length / 12));
      } catch (error) {
        assert.match(String(error), /^Error: Cannot read BTF: /);
      }
    }),
    { numRuns: process.env.BAREWIRE_SOAK === '1' ? 200_000 : 2_000 },
  );
});
