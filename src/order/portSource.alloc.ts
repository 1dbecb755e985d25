import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, SpscQueue } from '../core/index.ts';
import { LoopPort } from '../port/index.ts';
import { nowNs } from '../sys/index.ts';
import { UdpFrameTemplate } from '../wire/index.ts';
import { OrderRecord } from './order.ts';
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

/** The n-th order; every half of its numbers is beyond int32. */
function writeOrder(view: DataView, offset: number, n: number): void {
  const order = new OrderRecord();
  order.idLo = ~n;
  order.idHi = ~n;
  order.priceHi = -1;
  order.quantityLo = -1;
  order.quantityHi = ~n;
  order.side = n & 1;
  order.intendedNs = nowNs();
  encodeOrder(view, offset, order);
  encodeIntendedTime(view, offset, order);
}

let taken = 0;
const taking: OrderHandler = {
  onOrder(order) {
    taken++;
    return order.side;
  },
  onBurstEnd() {},
};

/** One end of a wire sends orders to a source on the other. */
class Wire {
  readonly page = ReceiverPage.create();
  readonly source: PortSource;
  readonly #far: LoopPort;
  readonly #out = new Burst(BURST);
  readonly #back = new Burst(BURST);

  constructor(handlerOf: (receiver: OrderReceiver) => PayloadHandler) {
    const [far, near] = LoopPort.pair();
    const receiver = new OrderReceiver(taking, this.page);
    this.source = new PortSource(near, handlerOf(receiver), { udpPort: UDP_PORT, burst: BURST });
    this.#far = far;
    this.#writeFrames();
  }

  /** Sends a burst of orders. @returns answers */
  send(): number {
    const far = this.#far;
    const out = this.#out;
    far.alloc(out, BURST);
    for (let i = 0; i < BURST; i++) out.len[i] = FRAME_LEN;
    out.dropPrefix(far.tx(out));
    this.source.poll(BURST);
    const answers = far.rx(this.#back);
    far.recycle(this.#back);
    return answers;
  }

  /** Frames are written once, into every chunk: sending one is then a matter of its length. */
  #writeFrames(): void {
    const all = new Burst(1024);
    const { view } = this.#far.regions[0]!;
    this.#far.alloc(all, all.capacity);
    for (let n = 0; n < all.count; n++) {
      writeOrder(view, all.addr[n]! + template.headerLen, n);
      template.write(view, all.addr[n]!, STAMPED_ORDER_LEN);
    }
    this.#far.recycle(all);
  }
}

/** Answers every fourth order, and sends twice a burst. */
class Answering implements PayloadHandler {
  readonly #receiver: OrderReceiver;
  #orders = 0;

  constructor(receiver: OrderReceiver) {
    this.#receiver = receiver;
  }

  onPayload(view: DataView, offset: number, len: number, stampNs: Float64Array): void {
    this.#receiver.onPayload(view, offset, len, stampNs);
    this.#orders = (this.#orders + 1) & 31;
    if ((this.#orders & 3) !== 0) return;
    const { source } = answered;
    source.replyView.setUint32(source.reply(len), view.getUint32(offset, true), true);
    if (this.#orders === 0) source.flush();
  }

  onBurstEnd(): void {
    this.#receiver.onBurstEnd();
  }
}

// Handlers of two kinds, in turns: V8 puts the code of a single one into its caller, where calling it costs nothing.
const plain = new Wire((receiver) => receiver);
const answered = new Wire((receiver) => new Answering(receiver));

const accepted = (): number => plain.page.values[REJECTED]! + answered.page.values[REJECTED]!;

const spec = { recordLen: ORDER_RECORD_LEN, capacity: 2 * BURST };
const queue = SpscQueue.create(new SharedArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
const stampNs = new Float64Array(1);
const queuePage = ReceiverPage.create();
const writer = new OrderReceiver(new QueueHandler(queue.producer()), queuePage);
const reader = new QueueReader(queue.consumer(), taking);
const payload = new DataView(new ArrayBuffer(STAMPED_ORDER_LEN));
writeOrder(payload, 0, 1);

const cases: AllocationCase[] = [
  {
    name: 'orders out of the frames of a port, some of them answered',
    covers: [
      'PortSource.poll',
      'PortSource.reply',
      'PortSource.flush',
      'ReplyFrames.reserve',
      'ReplyFrames.flush',
      'OrderReceiver.onPayload',
      'OrderReceiver.onBurstEnd',
    ],
    run(count: number): void {
      const before = accepted();
      let done = 0;
      for (; done < count; done += 2 * BURST) {
        if (plain.send() !== 0 || answered.send() !== BURST / 4) throw new Error('answers were lost');
      }
      if (accepted() !== before + done) throw new Error('orders were lost');
    },
  },
  {
    name: 'orders through a queue',
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
