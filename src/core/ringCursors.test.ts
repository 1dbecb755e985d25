import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConsumerCursor, ProducerCursor } from './ringCursors.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;
const PRODUCER = 0;
const CONSUMER = 64;

function memoryAt(cursor: number, buffer: ArrayBufferLike = new ArrayBuffer(128)): ArrayBufferLike {
  new Uint32Array(buffer)[PRODUCER / 4] = cursor;
  new Uint32Array(buffer)[CONSUMER / 4] = cursor;
  return buffer;
}

const producerOn = (buffer: ArrayBufferLike, size: number): ProducerCursor =>
  new ProducerCursor(buffer, PRODUCER, CONSUMER, size);
const consumerOn = (buffer: ArrayBufferLike, size: number): ConsumerCursor =>
  new ConsumerCursor(buffer, PRODUCER, CONSUMER, size);

test('both cursors reject a size that is no power of two, or above 2^30', () => {
  for (const size of [0, -1, 3, 1000, 1.5, NaN, 2 ** 31, 2 ** 32]) {
    assert.throws(() => producerOn(memoryAt(0), size), new RegExp(`RangeError: .*power of two.*got ${size}`));
    assert.throws(() => consumerOn(memoryAt(0), size), RangeError);
  }
  assert.equal(producerOn(memoryAt(0), 2 ** 30).reserve(2 ** 30), 2 ** 30);
});

test('both cursors reject an offset that is unaligned or outside the memory', () => {
  for (const offset of [-4, 2, 126, 128, NaN]) {
    assert.throws(() => new ProducerCursor(memoryAt(0), offset, 0, 8), /RangeError: .*producer cursor/);
    assert.throws(() => new ConsumerCursor(memoryAt(0), 0, offset, 8), /RangeError: .*consumer cursor/);
  }
});

test('reserve() moves nothing, and a submit of 0 publishes nothing', () => {
  const buffer = memoryAt(7);
  const producer = producerOn(buffer, 8);
  assert.equal(producer.reserve(3), 3);
  assert.equal(producer.reserve(8), 8);
  assert.deepEqual([producer.slot(0), producer.slot(1)], [7, 0]);
  producer.submit(0);
  assert.equal(new Uint32Array(buffer)[PRODUCER / 4], 7);
});

test('peek() moves nothing, and release() hands the slots back', () => {
  const buffer = memoryAt(0);
  const producer = producerOn(buffer, 4);
  const consumer = consumerOn(buffer, 4);
  producer.submit(producer.reserve(4));
  assert.deepEqual([consumer.peek(3), consumer.peek(4), consumer.slot(0)], [3, 4, 0]);
  assert.equal(producer.reserve(1), 0);
  consumer.release(3);
  assert.deepEqual([consumer.peek(4), consumer.slot(0), producer.reserve(4)], [1, 3, 3]);
});

test('submit() across 2^32 stores the cursor modulo 2^32', () => {
  const buffer = memoryAt(2 ** 32 - 1);
  producerOn(buffer, 8).submit(3);
  assert.equal(new Uint32Array(buffer)[PRODUCER / 4], 2);
});

test('a cursor in memory that makes no sense reads as nothing free and nothing to read', () => {
  const buffer = memoryAt(100);
  const producer = producerOn(buffer, 8);
  const consumer = consumerOn(buffer, 8);
  producer.submit(8);
  consumer.release(consumer.peek(8));
  new Uint32Array(buffer)[CONSUMER / 4] = 90;
  assert.equal(producer.reserve(8), 0);
  new Uint32Array(buffer)[PRODUCER / 4] = 104;
  assert.equal(consumer.peek(8), 0);
});

test('a closed ring, its memory detached, throws on the next use of its cursors', () => {
  const buffer = new ArrayBuffer(128);
  const producer = producerOn(buffer, 8);
  const consumer = consumerOn(buffer, 8);
  buffer.transfer(0);
  assert.throws(() => producer.submit(1), TypeError);
  assert.throws(() => consumer.peek(1), TypeError);
});

// Just below 2^32, where the cursors wrap, and below 2^31, where the int32 that stands for them does.
const nearWrap = fc
  .tuple(fc.constantFrom(0, 2 ** 31), fc.integer({ min: -40, max: 10 }))
  .map(([edge, delta]) => (edge + delta) >>> 0);

type Step = { readonly kind: 'produce' | 'consume' | 'reopen'; readonly want: number; readonly keep: number };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('produce', 'produce', 'consume', 'consume', 'reopen'),
  want: fc.nat(20),
  keep: fc.nat(20),
});

test('a ring behaves like an array, with cursors that wrap at 2^32 and ends that reopen', () => {
  const property = fc.property(
    fc.nat(5),
    nearWrap,
    fc.boolean(),
    fc.array(step, { maxLength: 120 }),
    (log2, start, shared, steps) => {
      const size = 1 << log2;
      const buffer = memoryAt(start, shared ? new SharedArrayBuffer(128) : new ArrayBuffer(128));
      let producer = producerOn(buffer, size);
      let consumer = consumerOn(buffer, size);
      const slots = new Array<number>(size).fill(-1);
      const model: number[] = [];
      let sent = 0;
      for (const { kind, want, keep } of steps) {
        const count = Math.min(want, size);
        if (kind === 'produce') {
          assert.equal(producer.free(), size - model.length);
          const got = producer.reserve(count);
          assert.equal(got, Math.min(count, size - model.length));
          const n = Math.min(keep, got);
          for (let i = 0; i < n; i++) {
            slots[producer.slot(i)] = sent;
            model.push(sent++);
          }
          producer.submit(n);
        } else if (kind === 'consume') {
          assert.equal(consumer.available(), model.length);
          const got = consumer.peek(count);
          assert.equal(got, Math.min(count, model.length));
          const n = Math.min(keep, got);
          const seen = Array.from({ length: got }, (_, i) => slots[consumer.slot(i)]);
          assert.deepEqual(seen, model.slice(0, got));
          model.splice(0, n);
          for (let i = 0; i < n; i++) slots[consumer.slot(i)] = -1;
          consumer.release(n);
        } else {
          producer = producerOn(buffer, size);
          consumer = consumerOn(buffer, size);
        }
      }
    },
  );
  fc.assert(property, { numRuns: NUM_RUNS });
});
