import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { U64Table } from './u64Table.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;
const CAPACITY = 64;
const half = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(-0x8000_0000, 0x7fff_ffff),
  fc.integer(),
);

test('find(), insert() and remove() agree with a Map, in any order', () => {
  const operation = fc.tuple(half, fc.integer({ min: -2, max: 2 }), fc.boolean());
  fc.assert(
    fc.property(fc.integer(), fc.array(operation, { maxLength: 300 }), (seed, operations) => {
      const words = new Int32Array(CAPACITY * 2);
      const table = new U64Table(words, CAPACITY, seed);
      const model = new Map<string, number>();
      const free = Array.from({ length: CAPACITY }, (_, i) => i * 2);
      for (const [lo, hi, remove] of operations) {
        const key = `${lo} ${hi}`;
        const record = model.get(key) ?? -1;
        assert.equal(table.find(lo, hi), record);
        if (record >= 0 && remove) {
          table.remove(record);
          model.delete(key);
          free.push(record);
        } else if (record < 0 && free.length > 0) {
          const fresh = free.pop()!;
          words[fresh] = lo;
          words[fresh + 1] = hi;
          table.insert(fresh);
          model.set(key, fresh);
        }
      }
      table.audit(model.size);
      for (const [key, record] of model) {
        const [lo, hi] = key.split(' ').map(Number);
        assert.equal(table.find(lo!, hi!), record);
      }
    }),
    { numRuns: NUM_RUNS },
  );
});

test('a table that stays full through many changes finds all that is there and nothing else', () => {
  const capacity = 1 << 12;
  const words = new Int32Array(capacity * 2);
  const table = new U64Table(words, capacity);
  for (let i = 0; i < capacity; i++) {
    words[2 * i] = i;
    table.insert(2 * i);
  }
  for (let i = 0; i < 100 * capacity; i++) {
    const record = 2 * (i % capacity);
    table.remove(record);
    words[record] = i + capacity;
    table.insert(record);
  }
  table.audit(capacity);
  for (let i = 0; i < 99 * capacity; i++) assert.equal(table.find(i, 0), -1);
});

test('audit() notices a record whose key was changed under the table', () => {
  const words = new Int32Array(4);
  const table = new U64Table(words, 2);
  table.insert(0);
  words[0] = 7;
  assert.throws(() => table.audit(1), /cannot be found/);
});
