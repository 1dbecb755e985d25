import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slab } from './slab.ts';

test('take() gives every record once and -1 when none is left', () => {
  const slab = new Slab(3, 5);
  const records = [slab.take(), slab.take(), slab.take()];
  assert.equal(new Set(records).size, 3);
  for (const record of records) assert.ok(record >= 0 && record + 5 <= slab.words.length);
  assert.ok(slab.full);
  assert.equal(slab.take(), -1);
  assert.equal(slab.count, 3);
  slab.give(records[1]!);
  assert.equal(slab.take(), records[1]);
});

test('no two owners hold words in common, in any order of take() and give()', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (choices) => {
      const slab = new Slab(8, 4);
      const held: number[] = [];
      for (const choice of choices) {
        if (choice % 2 === 0 || held.length === 0) {
          const record = slab.take();
          assert.equal(record < 0, held.length === 8);
          if (record >= 0) {
            slab.words.fill(record, record, record + 4);
            held.push(record);
          }
        } else {
          const [record] = held.splice(choice % held.length, 1);
          assert.deepEqual([...slab.words.subarray(record, record! + 4)], Array(4).fill(record));
          slab.give(record!);
        }
        assert.equal(slab.count, held.length);
        slab.audit();
      }
    }),
  );
});

test('audit() notices a record that was given back twice', () => {
  const slab = new Slab(4, 2);
  const record = slab.take();
  slab.take();
  slab.give(record);
  slab.give(record);
  assert.throws(() => slab.audit(), /no end|count is/);
});
