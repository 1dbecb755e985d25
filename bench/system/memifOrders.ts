/**
 * A worker that sends orders over a port as fast as its peer takes them.
 */
import { workerData } from 'node:worker_threads';
import { Burst, copyBytes } from '../../src/core/index.ts';
import { ORDER_LEN, OrderRecord, Side } from '../../src/order/index.ts';
import { encodeOrder } from '../../src/order/protocol.ts';
import { openPort } from '../../src/port/index.ts';
import { nowNs, pinThread } from '../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';
import { ORDER_PORT } from '../micro/orderFrames.ts';
import { scramble } from '../micro/scramble.ts';

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

const BURST = 64;
/** Orders until the flow begins anew. */
const LAP = 1 << 16;
/** Orders at rest, once the book has filled. */
const RESTING = 8192;
/** Price levels on either side of the middle. */
const LEVELS = 1000;
const MIDDLE = 1_000_000;
const UNIT = 100_000_000n;
const STRIDE = 72;

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
const frameLen = template.headerLen + ORDER_LEN;
const frames = new DataView(new ArrayBuffer(LAP * STRIDE));
writeLap();
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
      next = (next + 1) & (LAP - 1);
    }
  }
  const sent = port.tx(burst);
  burst.dropPrefix(sent);
  port.flush();
  return sent;
}

/**
 * Writes a lap of orders that leaves the book as it was, so that it can follow itself for ever: as many orders that rest
 * as orders that each take the best of them, all of the same quantity. What is measured is the receiver.
 */
function writeLap(): void {
  const order = new OrderRecord();
  order.quantity = UNIT;
  let resting = 0;
  for (let i = 0; i < LAP; i++) {
    const rests = resting < RESTING && resting < LAP - i;
    // Both sides in turn; the taker is on the other side of what it takes.
    const bid = (i & 2) === 0;
    const away = 1 + (Math.abs(scramble(i)) % LEVELS);
    order.id = BigInt(i + 1);
    order.side = bid === rests ? Side.buy : Side.sell;
    order.price = BigInt(rests ? MIDDLE + (bid ? -away : away) : MIDDLE + (bid ? -1 : 1) * 2 * LEVELS) * UNIT;
    resting += rests ? 1 : -1;
    encodeOrder(frames, i * STRIDE + template.headerLen, order);
    template.write(frames, i * STRIDE, ORDER_LEN);
  }
}
