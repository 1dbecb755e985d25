/**
 * A worker that sends orders over a port as fast as its peer takes them.
 */
import { workerData } from 'node:worker_threads';
import { Burst, copyBytes } from '../../src/core/index.ts';
import { OrderFlow } from '../../src/order/demo/orderFlow.ts';
import { ORDER_LEN, OrderRecord } from '../../src/order/index.ts';
import { encodeOrder } from '../../src/order/protocol.ts';
import { openPort } from '../../src/port/index.ts';
import { nowNs, pinThread } from '../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';
import { ORDER_PORT } from '../micro/orderFrames.ts';

/** Where the sender lives. */
export interface MemifOrdersEnd {
  readonly core: number;
  readonly via: string;
}

/** What it sent. */
export interface SentOrders {
  readonly orders: number;
  /** from the first to the last [ns] */
  readonly ns: number;
}

const FLOW_SEED = 1;
const BURST = 64;
/** Different frames, made beforehand: what is measured is the receiver. */
const FRAMES = 1 << 16;
const STRIDE = 128;

const { core, via } = workerData as MemifOrdersEnd;
pinThread(core);
const port = openPort(via);
const template = new UdpFrameTemplate({
  destinationMac: '02:00:00:00:00:02',
  sourceMac: '02:00:00:00:00:01',
  destinationAddress: '192.0.2.2',
  sourceAddress: '192.0.2.1',
  destinationPort: ORDER_PORT,
  sourcePort: 40_000,
});
const frames = new DataView(new ArrayBuffer(FRAMES * STRIDE));
const frameLen = template.headerLen + ORDER_LEN;
{
  const flow = new OrderFlow(FLOW_SEED);
  const order = new OrderRecord();
  for (let i = 0; i < FRAMES; i++) {
    flow.next(order);
    encodeOrder(frames, i * STRIDE + template.headerLen, order);
    template.write(frames, i * STRIDE, ORDER_LEN);
  }
}
const burst = new Burst(BURST);
let next = 0;

serve((seconds: number): SentOrders => {
  const startNs = nowNs();
  const untilNs = startNs + seconds * 1e9;
  let orders = 0;
  while (nowNs() < untilNs) for (let i = 0; i < 64; i++) orders += send();
  // What the last burst could not place.
  while (burst.count > 0) orders += send();
  return { orders, ns: nowNs() - startNs };
});

/** Sends a burst; what finds no room is kept for the next call. @returns orders that the peer can see */
function send(): number {
  const { view } = port.regions[0]!;
  if (burst.count === 0) {
    port.alloc(burst, BURST);
    for (let i = 0; i < burst.count; i++) {
      copyBytes(frames, next * STRIDE, view, burst.addr[i]!, frameLen);
      burst.len[i] = frameLen;
      next = (next + 1) & (FRAMES - 1);
    }
  }
  const sent = port.tx(burst);
  burst.dropPrefix(sent);
  port.flush();
  return sent;
}
