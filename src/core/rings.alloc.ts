import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, copyDescriptor, FrameFlags } from './burst.ts';
import { ChunkPool } from './chunkPool.ts';
import { ConsumerCursor, ProducerCursor } from './ringCursors.ts';
import { SpscQueue } from './spscQueue.ts';

const BURST = 64;
const CHUNKS = 256;

const pool = new ChunkPool({ count: CHUNKS, chunkLen: 2048 });
const oddPool = new ChunkPool({ count: CHUNKS, chunkLen: 1500 });
const burst = new Burst(BURST, { timestamps: true });
const other = new Burst(BURST, { timestamps: true });

/** Where both cursors start: they pass 2^31 while they are measured. */
const START = 0x7ff0_0000;
const ring = new Int32Array([START, START]);
const producer = new ProducerCursor(ring.buffer, 0, 4, 2 * BURST);
const consumer = new ConsumerCursor(ring.buffer, 0, 4, 2 * BURST);

const spec = { recordLen: 32, capacity: 2 * BURST };
const queue = SpscQueue.create(new SharedArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
const writer = queue.producer();
const reader = queue.consumer();

/** What went wrong; it is no error of the loop to be optimised away. */
let failures = 0;

function expectNone(): void {
  if (failures !== 0) throw new Error(`${failures} calls did not do what they should`);
}

const cases: AllocationCase[] = [
  {
    name: 'chunks out of a pool, through bursts, and back',
    covers: [
      'ChunkPool.take',
      'ChunkPool.takeInto',
      'ChunkPool.chunkOf',
      'ChunkPool.put',
      'ChunkPool.putFrom',
      'Burst.clear',
      'Burst.dropPrefix',
      'copyDescriptor',
    ],
    run(count: number): void {
      const half = BURST / 2;
      for (let done = 0; done < count; done += BURST) {
        burst.count = pool.takeInto(burst.addr, 0, half);
        for (let i = half; i < BURST; i++) burst.addr[i] = pool.take();
        burst.count = BURST;
        for (let i = 0; i < BURST; i++) {
          burst.flags[i] = FrameFlags.checksumVerified;
          burst.timestampNs![i] = 2 ** 50 + done;
          copyDescriptor(burst, i, other, BURST - 1 - i);
        }
        other.count = BURST;
        other.dropPrefix(1 + (done & 31));
        other.dropPrefix(other.count);
        failures += other.count;
        for (let i = 0; i < half; i++) pool.put(pool.chunkOf(burst.addr[i]! + 256));
        pool.putFrom(burst.addr, half, half);
        burst.clear();
        const odd = oddPool.take();
        oddPool.put(oddPool.chunkOf(odd + 1499));
      }
      if (pool.free !== CHUNKS || oddPool.free !== CHUNKS) failures++;
      expectNone();
    },
  },
  {
    name: 'a ring, its cursors across 2^31',
    covers: [
      'ProducerCursor.reserve',
      'ProducerCursor.slot',
      'ProducerCursor.submit',
      'ProducerCursor.free',
      'ConsumerCursor.peek',
      'ConsumerCursor.slot',
      'ConsumerCursor.release',
      'ConsumerCursor.available',
    ],
    run(count: number): void {
      for (let done = 0; done < count; done += BURST) {
        if (producer.reserve(BURST) !== BURST) failures++;
        let sum = 0;
        for (let i = 0; i < BURST; i++) sum += producer.slot(i);
        producer.submit(BURST);
        if (producer.reserve(2 * BURST) !== BURST) failures++;
        if (producer.free() !== consumer.available()) failures++;
        const got = consumer.peek(BURST);
        for (let i = 0; i < got; i++) sum -= consumer.slot(i);
        consumer.release(got);
        if (sum !== 0 || consumer.peek(1) !== 0) failures++;
      }
      expectNone();
    },
  },
  {
    name: 'records through a queue',
    covers: ['SpscProducer.recordOffset', 'SpscConsumer.recordOffset'],
    run(count: number): void {
      for (let done = 0; done < count; done += BURST) {
        const room = writer.reserve(BURST);
        for (let i = 0; i < room; i++) writer.i32[writer.recordOffset(i) >>> 2] = done + i;
        writer.submit(room);
        const got = reader.peek(BURST);
        for (let i = 0; i < got; i++) {
          if (reader.i32[reader.recordOffset(i) >>> 2] !== done + i) failures++;
        }
        reader.release(got);
        if (got !== BURST) failures++;
      }
      expectNone();
    },
  },
];
export default cases;
