/**
 * The loops of the `ingest` case: what becomes of a frame between the rx ring and the thread behind the queue, once
 * as a whole and once for each step alone.
 */
import { SpscQueue } from '../../src/core/index.ts';
import {
  decodeOrder,
  ORDER_LEN,
  ORDER_RECORD_LEN,
  OrderRecord,
  readOrderRecord,
  writeOrderRecord,
} from '../../src/order/index.ts';
import { parseUdpFrame, UdpFrame } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';
import { pinToMeasuringCore } from '../harness/measuringCore.ts';
import { timeSlices } from '../harness/timeSlices.ts';
import { FRAME_LEN, PAYLOAD_OFFSET, writeOrderFrame } from './orderFrames.ts';

/** What to measure, and for how long. */
export interface IngestTask {
  readonly step: 'all' | 'check' | 'decode' | 'queue';
  readonly seconds: number;
}

// As in a umem: a chunk for each frame, and the frame behind its headroom. All frames start at the same place of their
// chunks, so they compete for the same few sets of the first- and second-level caches and come from the third, where
// a NIC would have put them.
const FRAMES = 4096;
const CHUNK_LEN = 2048;
const HEADROOM = 256;
const BURST = 64;

const view = new DataView(new ArrayBuffer(FRAMES * CHUNK_LEN));
for (let n = 0; n < FRAMES; n++) writeOrderFrame(view, n * CHUNK_LEN + HEADROOM, n);

const spec = { recordLen: ORDER_RECORD_LEN, capacity: 1024 };
const queue = SpscQueue.create(new SharedArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
const producer = queue.producer();
const consumer = queue.consumer();
const frame = new UdpFrame();
const arrived = new OrderRecord();
const taken = new OrderRecord();
let refused = 0;
let taste = 0;

const STEPS: Readonly<Record<IngestTask['step'], () => void>> = {
  all() {
    for (let first = 0; first < FRAMES; first += BURST) {
      producer.reserve(BURST);
      for (let i = 0; i < BURST; i++) {
        let code = parseUdpFrame(view, (first + i) * CHUNK_LEN + HEADROOM, FRAME_LEN, frame);
        if (code === 0) code = decodeOrder(view, frame.payloadOffset, frame.payloadLen, arrived);
        if (code !== 0) refused++;
        writeOrderRecord(producer.view, producer.i32, producer.recordOffset(i), arrived);
      }
      producer.submit(BURST);
      readBurst();
    }
  },
  check() {
    for (let n = 0; n < FRAMES; n++) {
      if (parseUdpFrame(view, n * CHUNK_LEN + HEADROOM, FRAME_LEN, frame) !== 0) refused++;
    }
  },
  decode() {
    for (let n = 0; n < FRAMES; n++) {
      const at = n * CHUNK_LEN + HEADROOM + PAYLOAD_OFFSET;
      if (decodeOrder(view, at, ORDER_LEN, arrived) !== 0) refused++;
      taste ^= arrived.idLo;
    }
  },
  queue() {
    for (let first = 0; first < FRAMES; first += BURST) {
      producer.reserve(BURST);
      for (let i = 0; i < BURST; i++) {
        arrived.idLo = first + i;
        writeOrderRecord(producer.view, producer.i32, producer.recordOffset(i), arrived);
      }
      producer.submit(BURST);
      readBurst();
    }
  },
};

function readBurst(): void {
  const count = consumer.peek(BURST);
  for (let i = 0; i < count; i++) {
    readOrderRecord(consumer.view, consumer.i32, consumer.recordOffset(i), taken);
    taste ^= taken.idLo ^ taken.priceLo ^ taken.quantityLo ^ taken.side;
  }
  consumer.release(count);
}

pinToMeasuringCore();
serve(({ step, seconds }: IngestTask): number => {
  const ns = timeSlices(seconds, FRAMES, STEPS[step]);
  if (refused > 0) throw new Error(`Cannot trust the figures: ${refused} good frames were refused`);
  return taste === 0.5 ? 0 : ns;
});
