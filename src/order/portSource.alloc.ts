import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, SpscQueue } from '../core/index.ts';
import { LoopPort } from '../port/index.ts';
import { nowNs } from '../sys/index.ts';
import { UdpFrameTemplate } from '../wire/index.ts';
import { createBook } from './createBook.ts';
import { OrderRecord, Side } from './order.ts';
import { type OrderHandler, OrderReceiver } from './orderReceiver.ts';
import { PortSource } from './portSource.ts';
import { encodeIntendedTime, encodeOrder, ORDER_RECORD_LEN, STAMPED_ORDER_LEN } from './protocol.ts';
import { QueueHandler, QueueReader } from './queueHandler.ts';
import { RECEIVED, REJECTED, ReceiverPage } from './receiverPage.ts';
import type { PayloadHandler } from './source.ts';

const BURST = 64;
const UDP_PORT = 9000;

const template = new UdpFrameTemplate({
  destinationMac: '02:00:00:00:00:02',
  sourceMac: '02:00:00:00:00:01',
  destinationAddress: '192.0.2.2',
  sourceAddress: '192.0.2.1',
  destinationPort: UDP_PORT,
  sourcePort: 40_000,
});
const FRAME_LEN = template.headerLen + STAMPED_ORDER_LEN;

/** The n-th order, its id and price beyond int32; every sell takes the buy before it, so the book stays small. */
function writeOrder(view: DataView, offset: number, n: number): void {
  const order = new OrderRecord();
  order.idLo = ~n;
  order.idHi = ~n;
  order.priceHi = -1;
  order.quantityLo = -1;
  order.quantityHi = n >> 1;
  order.side = n & 1 ? Side.sell : Side.buy;
  order.intendedNs = nowNs();
  encodeOrder(view, offset, order);
  encodeIntendedTime(view, offset, order);
}

const [far, near] = LoopPort.pair();
const stampNs = new Float64Array(1);
const bookPage = ReceiverPage.create();
const receiver = new OrderReceiver(createBook(1024, bookPage.values), bookPage);
let answers = 0;

/** Answers every eighth order, behind the receiver's back. */
const answering: PayloadHandler = {
  onPayload(view, offset, len, stampNs) {
    receiver.onPayload(view, offset, len, stampNs);
    answers++;
    if ((answers & 7) !== 0) return;
    const to = source.reply(len);
    source.replyView.setUint32(to, view.getUint32(offset, true), true);
  },
  onBurstEnd() {
    receiver.onBurstEnd();
    source.flush();
  },
};
const source = new PortSource(near, answering, { udpPort: UDP_PORT, burst: BURST });
const burst = new Burst(BURST);
const answered = new Burst(BURST);

/** Frames are written once, into every chunk: sending one is then a matter of its length. */
const all = new Burst(1024);
far.alloc(all, 1024);
for (let n = 0; n < all.count; n++) {
  const { view } = far.regions[0]!;
  writeOrder(view, all.addr[n]! + template.headerLen, n);
  template.write(view, all.addr[n]!, STAMPED_ORDER_LEN);
}
far.recycle(all);

const spec = { recordLen: ORDER_RECORD_LEN, capacity: 2 * BURST };
const queue = SpscQueue.create(new SharedArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
const queuePage = ReceiverPage.create();
const writer = new OrderReceiver(new QueueHandler(queue.producer()), queuePage);
let taken = 0;
const taking: OrderHandler = {
  onOrder(order) {
    taken++;
    return order.side;
  },
  onBurstEnd() {},
};
const reader = new QueueReader(queue.consumer(), taking);
const payload = new DataView(new ArrayBuffer(STAMPED_ORDER_LEN));
writeOrder(payload, 0, 1);

const cases: AllocationCase[] = [
  {
    name: 'frames of a port into a book, every eighth answered',
    covers: [
      'PortSource.poll',
      'PortSource.reply',
      'PortSource.flush',
      'ReplyFrames.reserve',
      'ReplyFrames.flush',
      'OrderReceiver.onPayload',
      'OrderReceiver.onBurstEnd',
      'BookHandler.onOrder',
      'BookHandler.onBurstEnd',
    ],
    run(count: number): void {
      const before = bookPage.values[REJECTED]!;
      let done = 0;
      for (; done < count; done += BURST) {
        far.alloc(burst, BURST);
        for (let i = 0; i < BURST; i++) burst.len[i] = FRAME_LEN;
        burst.dropPrefix(far.tx(burst));
        source.poll(BURST);
        if (far.rx(answered) !== BURST / 8) throw new Error('answers were lost');
        far.recycle(answered);
      }
      if (bookPage.values[REJECTED] !== before + done) throw new Error('orders were lost');
    },
  },
  {
    name: 'payloads through a queue',
    covers: ['QueueHandler.onOrder', 'QueueHandler.onBurstEnd', 'QueueReader.poll'],
    run(count: number): void {
      const before = queuePage.values[RECEIVED]!;
      taken = 0;
      for (let done = 0; done < count; done += BURST) {
        stampNs[0] = 2 ** 50 + done;
        for (let i = 0; i < BURST; i++) writer.onPayload(payload, 0, STAMPED_ORDER_LEN, stampNs);
        writer.onBurstEnd();
        reader.poll(BURST);
      }
      if (taken !== queuePage.values[RECEIVED]! - before) throw new Error('orders were lost');
    },
  },
];
export default cases;
