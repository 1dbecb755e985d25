/**
 * The two ends of the `ring` case; a thread that runs this module is either end, as each question tells it.
 */
import { performance } from 'node:perf_hooks';
import { workerData } from 'node:worker_threads';
import type { SpscConsumer, SpscProducer } from '../../src/core/index.ts';
import { SpscQueue } from '../../src/core/index.ts';
import { pinThread } from '../../src/sys/index.ts';
import { serve } from '../harness/isolate.ts';
import { median } from '../harness/median.ts';
import { timeSlices } from '../harness/timeSlices.ts';

/** Where the queues of the `ring` case lie, and where the thread is to run. */
export interface RingEnd {
  /** The core that the thread is pinned to. */
  readonly core: number;
  readonly buffer: SharedArrayBuffer;
  /** Offset of the queue from the first thread to the second [bytes]. */
  readonly there: number;
  /** Offset of the queue from the second thread to the first [bytes]. */
  readonly back: number;
}

/**
 * What a thread is to do for so many seconds: `write` and `read` are the ends of a stream from the first thread to
 * the second, `call` and `answer` those of round trips. The second thread stops when the first does.
 */
export interface RingTask {
  readonly role: 'write' | 'read' | 'call' | 'answer';
  readonly seconds: number;
}

const BURST = 64;
/** Records between two readings of the clock. */
const SLICE = 8192;
/** Round trips between two readings of the clock, which costs a good part of one. */
const TRIPS = 64;

// A record: its number in words 0 to 6, each one more than the word before; word 7 is 1 in the last record, otherwise 0.
const LAST = 7;

const { core, buffer, there, back } = workerData as RingEnd;
pinThread(core);

serve(({ role, seconds }: RingTask): number => {
  const producer = SpscQueue.open(buffer, role === 'answer' ? back : there).producer();
  const consumer = SpscQueue.open(buffer, role === 'call' ? back : there).consumer();
  if (role === 'write') return write(producer, seconds);
  if (role === 'read') return read(consumer);
  if (role === 'call') return call(producer, consumer, seconds);
  return answer(producer, consumer);
});

/** Streams records until the time is over. @returns how many */
function write(producer: SpscProducer, seconds: number): number {
  const endMs = performance.now() + seconds * 1e3;
  let sent = 0;
  while (performance.now() < endMs) {
    for (const next = sent + SLICE; sent < next; ) {
      const n = producer.reserve(BURST);
      for (let i = 0; i < n; i++) writeRecord(producer, i, sent++, 0);
      if (n > 0) producer.submit(n);
    }
  }
  while (producer.reserve(1) === 0) {}
  writeRecord(producer, 0, sent++, 1);
  producer.submit(1);
  return sent;
}

/** Reads records up to the last. @returns median time of a record over slices [ns] */
function read(consumer: SpscConsumer): number {
  const slices: number[] = [];
  let received = 0;
  let wrong = 0;
  let last = 0;
  while (consumer.peek(1) === 0) {}
  let start = performance.now();
  for (let next = SLICE; last === 0; ) {
    const n = consumer.peek(BURST);
    for (let i = 0; i < n; i++) {
      wrong |= compareRecord(consumer, i, received++);
      last |= consumer.i32[(consumer.recordOffset(i) >>> 2) + LAST]!;
    }
    if (n > 0) consumer.release(n);
    if (received >= next) {
      const now = performance.now();
      slices.push(((now - start) * 1e6) / SLICE);
      start = now;
      next += SLICE;
    }
  }
  if (wrong !== 0) throw new Error('Cannot trust the queue: a record read is not the record written');
  return median(slices);
}

/** Sends records one at a time, each after the one before came back. @returns median round trip over groups [ns] */
function call(producer: SpscProducer, consumer: SpscConsumer, seconds: number): number {
  let wrong = 0;
  let trip = 0;
  const ns = timeSlices(seconds, TRIPS, () => {
    for (let i = 0; i < TRIPS; i++) wrong |= callOnce(producer, consumer, trip++, 0);
  });
  wrong |= callOnce(producer, consumer, trip, 1);
  if (wrong !== 0) throw new Error('Cannot trust the queue: an answer is not the record sent');
  return ns;
}

function callOnce(producer: SpscProducer, consumer: SpscConsumer, number: number, last: number): number {
  while (producer.reserve(1) === 0) {}
  writeRecord(producer, 0, number, last);
  producer.submit(1);
  while (consumer.peek(1) === 0) {}
  const wrong = compareRecord(consumer, 0, number);
  consumer.release(1);
  return wrong;
}

/** Sends every record back as it comes, up to the last. @returns how many */
function answer(producer: SpscProducer, consumer: SpscConsumer): number {
  let count = 0;
  for (let last = 0; last === 0; count++) {
    while (consumer.peek(1) === 0) {}
    last = consumer.i32[(consumer.recordOffset(0) >>> 2) + LAST]!;
    consumer.release(1);
    while (producer.reserve(1) === 0) {}
    writeRecord(producer, 0, count, last);
    producer.submit(1);
  }
  return count;
}

/** Writes all 32 bytes of the `i`-th reserved record. */
function writeRecord(producer: SpscProducer, i: number, number: number, last: number): void {
  const words = producer.i32;
  const at = producer.recordOffset(i) >>> 2;
  for (let word = 0; word < LAST; word++) words[at + word] = number + word;
  words[at + LAST] = last;
}

/** Reads all but the last word of the `i`-th peeked record. @returns 0 when it is the one wanted */
function compareRecord(consumer: SpscConsumer, i: number, number: number): number {
  const words = consumer.i32;
  const at = consumer.recordOffset(i) >>> 2;
  let wrong = 0;
  for (let word = 0; word < LAST; word++) wrong |= words[at + word]! ^ (number + word);
  return wrong;
}
