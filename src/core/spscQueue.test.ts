import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import type { SpscConsumer, SpscProducer } from './spscQueue.ts';
import { SpscQueue } from './spscQueue.ts';

const SOAK = process.env.BAREWIRE_SOAK === '1';
const NUM_RUNS = SOAK ? 20_000 : 200;
const SPEC = { recordLen: 32, capacity: 8 };

function push(producer: SpscProducer, value: number): boolean {
  if (producer.reserve(1) === 0) return false;
  producer.i32[producer.recordOffset(0) >>> 2] = value;
  producer.submit(1);
  return true;
}

function pop(consumer: SpscConsumer): number {
  if (consumer.peek(1) === 0) return -1;
  const value = consumer.view.getUint32(consumer.recordOffset(0), true);
  consumer.release(1);
  return value;
}

test('sizeOf() leaves room for header, cursors and records, in whole 128-byte lines', () => {
  assert.equal(SpscQueue.sizeOf(SPEC), 3 * 128 + 256);
  assert.equal(SpscQueue.sizeOf({ recordLen: 8, capacity: 1 }), 4 * 128);
});

test('sizeOf() names what is wrong with a spec', () => {
  for (const recordLen of [0, 4, 12, -8, NaN]) {
    assert.throws(
      () => SpscQueue.sizeOf({ recordLen, capacity: 8 }),
      new RegExp(`recordLen .* got ${recordLen}`),
    );
  }
  for (const capacity of [0, 3, -4, 1.5, NaN]) {
    assert.throws(
      () => SpscQueue.sizeOf({ recordLen: 8, capacity }),
      new RegExp(`power of two, got ${capacity}`),
    );
  }
  assert.throws(() => SpscQueue.sizeOf({ recordLen: 64, capacity: 2 ** 25 }), /at most 2147483647 bytes/);
});

test('create() empties the memory and nothing beside it', () => {
  const size = SpscQueue.sizeOf(SPEC);
  const memory = new Uint8Array(size + 256).fill(0xee);
  memory[128 + 128] = 0xef; // the producer cursor of an older queue, with a record to read
  const queue = SpscQueue.create(memory.buffer, 128, SPEC);
  assert.equal(pop(queue.consumer()), -1);
  assert.equal(queue.producer().reserve(8), 8);
  assert.equal(memory[127], 0xee);
  assert.equal(memory[128 + size], 0xee);
  const producer = queue.producer();
  for (let i = 0; i < 8; i++) push(producer, 0xffff_ffff);
  assert.equal(memory[127], 0xee);
  assert.equal(memory[128 + size], 0xee);
});

test('create() and open() reject a place that is unaligned or too small', () => {
  const buffer = new ArrayBuffer(SpscQueue.sizeOf(SPEC) + 64);
  assert.throws(() => SpscQueue.create(buffer, 64, SPEC), /RangeError: .*multiple of 128 bytes, got 64/);
  assert.throws(
    () => SpscQueue.create(buffer, 128, SPEC),
    /RangeError: .*needs 640 bytes from offset 128, got 576/,
  );
  assert.throws(() => SpscQueue.open(buffer, -128), RangeError);
  assert.throws(() => SpscQueue.open(new ArrayBuffer(128), 0), RangeError);
});

test('open() finds the shape and the records of a queue that somebody else created', () => {
  const buffer = new SharedArrayBuffer(SpscQueue.sizeOf(SPEC));
  const producer = SpscQueue.create(buffer, 0, SPEC).producer();
  push(producer, 1);
  push(producer, 2);
  const queue = SpscQueue.open(buffer, 0);
  const consumer = queue.consumer();
  assert.deepEqual([queue.recordLen, queue.capacity], [32, 8]);
  assert.deepEqual([pop(consumer), pop(consumer), pop(consumer)], [1, 2, -1]);
});

test('open() says what is wrong with the memory', () => {
  const cases: [number, number, RegExp][] = [
    [0, 0, /Cannot open a queue at offset 0: magic must be 0x51535742, got 0x0/],
    [1, 2, /version must be 1, got 2/],
    [2, 12, /recordLen must be a multiple of 8 bytes, got 12/],
    [3, 7, /capacity must be a power of two, got 7/],
    [3, 16, /it takes 896 bytes, got 640/],
    [3, -8, /capacity must be a power of two, got -8/],
  ];
  for (const [word, value, message] of cases) {
    const buffer = new ArrayBuffer(SpscQueue.sizeOf(SPEC));
    SpscQueue.create(buffer, 0, SPEC);
    new Int32Array(buffer)[word] = value;
    assert.throws(() => SpscQueue.open(buffer, 0), message);
  }
});

test('a queue behaves like an array of records, with cursors that wrap at 2^32', () => {
  const step = fc.record({ produce: fc.boolean(), want: fc.nat(20), keep: fc.nat(20) });
  const property = fc.property(
    fc.nat(4),
    fc.constantFrom(8, 24, 32, 64),
    fc.constantFrom(0, 2 ** 31),
    fc.integer({ min: -40, max: 10 }),
    fc.array(step, { maxLength: 100 }),
    (log2, recordLen, edge, delta, steps) => {
      const capacity = 1 << log2;
      const buffer = new SharedArrayBuffer(SpscQueue.sizeOf({ recordLen, capacity }));
      const queue = SpscQueue.create(buffer, 0, { recordLen, capacity });
      new Int32Array(buffer)[128 / 4] = edge + delta;
      new Int32Array(buffer)[256 / 4] = edge + delta;
      const producer = queue.producer();
      const consumer = queue.consumer();
      const model: number[] = [];
      let sent = 0;
      for (const { produce, want, keep } of steps) {
        const count = Math.min(want, capacity);
        if (produce) {
          const n = Math.min(keep, producer.reserve(count));
          assert.equal(n, Math.min(keep, count, capacity - model.length));
          for (let i = 0; i < n; i++) {
            const at = producer.recordOffset(i);
            // The first and the last byte of the record: records must neither overlap nor leave the queue.
            producer.view.setUint32(at, sent, true);
            producer.view.setUint32(at + recordLen - 4, sent, true);
            model.push(sent++);
          }
          producer.submit(n);
        } else {
          const n = Math.min(keep, consumer.peek(count));
          assert.equal(n, Math.min(keep, count, model.length));
          for (let i = 0; i < n; i++) {
            const at = consumer.recordOffset(i);
            assert.equal(consumer.i32[at >>> 2], model[i]);
            assert.equal(consumer.view.getUint32(at + recordLen - 4, true), model[i]);
          }
          model.splice(0, n);
          consumer.release(n);
        }
      }
    },
  );
  fc.assert(property, { numRuns: NUM_RUNS });
});

test('every record crosses to another thread once, in order and whole', async () => {
  const records = SOAK ? 10_000_000 : 20_000;
  const spec = { recordLen: 32, capacity: 256 };
  const buffer = new SharedArrayBuffer(SpscQueue.sizeOf(spec));
  const consumer = SpscQueue.create(buffer, 0, spec).consumer();
  const source = `
    import { workerData } from 'node:worker_threads';
    const { SpscQueue } = await import(workerData.module);
    const producer = SpscQueue.open(workerData.buffer, 0).producer();
    for (let sent = 0; sent < workerData.records; ) {
      const n = producer.reserve(Math.min(1 + (sent % 64), workerData.records - sent));
      for (let i = 0; i < n; i++) {
        const at = producer.recordOffset(i) >>> 2;
        for (let word = 0; word < 8; word++) producer.i32[at + word] = sent + i;
      }
      if (n > 0) producer.submit(n);
      sent += n;
    }`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const module = new URL('./spscQueue.ts', import.meta.url).href;
  const worker = new Worker(url, { workerData: { buffer, module, records } });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  await Promise.race([failed, new Promise((resolve) => worker.once('online', resolve))]);
  try {
    let seen = 0;
    const deadline = performance.now() + 60_000;
    while (seen < records && performance.now() < deadline) {
      const n = consumer.peek(64);
      let torn = 0;
      for (let i = 0; i < n; i++) {
        const at = consumer.recordOffset(i) >>> 2;
        for (let word = 0; word < 8; word++) torn |= consumer.i32[at + word]! ^ (seen + i);
      }
      assert.equal(torn, 0, `a record after ${seen} is out of order or torn`);
      if (n > 0) consumer.release(n);
      else await Promise.race([failed, new Promise((resolve) => setImmediate(resolve))]);
      seen += n;
    }
    assert.equal(seen, records);
    assert.equal(consumer.available(), 0);
  } finally {
    await worker.terminate();
  }
});
