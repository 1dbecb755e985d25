/**
 * The packets of the `alloc` case: all that one meets from a port to the reader behind the queue between two threads,
 * here on one.
 */
import { Burst, SpscQueue } from '../../src/core/index.ts';
import {
  ORDER_RECORD_LEN,
  OrderReceiver,
  PortSource,
  QueueHandler,
  QueueReader,
  ReceiverPage,
} from '../../src/order/index.ts';
import { LoopPort } from '../../src/port/index.ts';
import { allocationSlope } from '../harness/allocationSlope.ts';
import { serve } from '../harness/isolate.ts';
import { FRAME_LEN, ORDER_PORT, writeOrderFrame } from './orderFrames.ts';

const BURST = 64;

const [far, near] = LoopPort.pair();
const spec = { recordLen: ORDER_RECORD_LEN, capacity: 1024 };
const queue = SpscQueue.create(new SharedArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
const receiver = new OrderReceiver(new QueueHandler(queue.producer()), ReceiverPage.create());
const source = new PortSource(near, receiver, { udpPort: ORDER_PORT });
const reader = new QueueReader(queue.consumer(), { onOrder: (order) => order.side, onBurstEnd() {} });
const burst = new Burst(BURST);
writeEveryChunk(far);

serve(() => allocationSlope(sendAndReceive));

function sendAndReceive(count: number): void {
  let read = 0;
  let sent = 0;
  while (sent < count) {
    far.alloc(burst, BURST);
    for (let i = 0; i < burst.count; i++) burst.len[i] = FRAME_LEN;
    const accepted = far.tx(burst);
    sent += accepted;
    burst.dropPrefix(accepted);
    far.recycle(burst);
    source.poll(BURST);
    read += reader.poll(BURST);
  }
  if (read !== sent) throw new Error(`Cannot trust the figure: ${sent - read} of ${sent} packets were lost`);
}

/** Puts a frame into every chunk that the port will ever hand out: sending one is then a matter of its length. */
function writeEveryChunk(port: LoopPort): void {
  const all = new Burst(65_536);
  const { view } = port.regions[0]!;
  const count = port.alloc(all, all.capacity);
  for (let i = 0; i < count; i++) writeOrderFrame(view, all.addr[i]!, i);
  port.recycle(all);
}
