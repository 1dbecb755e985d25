import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SpscQueue } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import { createBook } from './createBook.ts';
import { OrderRecord, Side } from './order.ts';
import { OrderReceiver } from './orderReceiver.ts';
import {
  encodeIntendedTime,
  encodeOrder,
  ORDER_LEN,
  ORDER_RECORD_LEN,
  STAMPED_ORDER_LEN,
} from './protocol.ts';
import { QueueHandler, QueueReader } from './queueHandler.ts';
import { ReceiverPage } from './receiverPage.ts';

const view = new DataView(new ArrayBuffer(64));
const stampNs = new Float64Array(1);

function payload(id: bigint, side: number, price = 100n, intendedNs = Number.NaN): number {
  const order = new OrderRecord();
  order.id = id;
  order.price = price;
  order.quantity = 5n;
  order.side = side;
  order.intendedNs = intendedNs;
  encodeOrder(view, 0, order);
  if (!Number.isNaN(intendedNs)) encodeIntendedTime(view, 0, order);
  return Number.isNaN(intendedNs) ? ORDER_LEN : STAMPED_ORDER_LEN;
}

describe('OrderReceiver', () => {
  it('books what it decodes, counts the rest by reason, and shows it on its page', () => {
    using page = ReceiverPage.create();
    const receiver = new OrderReceiver(createBook(16, page.values), page);
    receiver.onPayload(view, 0, payload(1n, Side.buy), stampNs);
    receiver.onPayload(view, 0, payload(2n, Side.buy, 99n), stampNs);
    receiver.onPayload(view, 0, payload(2n, Side.buy), stampNs);
    receiver.onPayload(view, 0, payload(3n, Side.sell), stampNs);
    receiver.onPayload(view, 0, payload(4n, 7), stampNs);
    receiver.onPayload(view, 0, 24, stampNs);
    receiver.onBurstEnd();
    const { latencyNs: _, ...reading } = page.read();
    assert.deepEqual(reading, {
      received: 6,
      rejected: { tooShort: 1, badSide: 1, duplicateId: 1 },
      trades: 1,
      book: 1,
      bidLevels: 1,
      askLevels: 0,
      dropped: 0,
    });
  });

  it('measures from the intended send time to the end of the burst, and only orders that carry it', () => {
    using page = ReceiverPage.create();
    const receiver = new OrderReceiver(createBook(16, page.values), page);
    const intendedNs = nowNs() - 5_000_000;
    receiver.onPayload(view, 0, payload(1n, Side.buy, 1n, intendedNs), stampNs);
    receiver.onPayload(view, 0, payload(2n, Side.buy), stampNs);
    receiver.onBurstEnd();
    receiver.onBurstEnd();
    assert.equal(page.latency.count, 1);
    assert.ok(page.read().latencyNs.max >= 5_000_000);
    assert.ok(page.read().latencyNs.max < 5_000_000_000);
  });

  it('can be read through the descriptor of its page, as from another thread', () => {
    using page = ReceiverPage.create();
    using reader = ReceiverPage.open(page.fd);
    const receiver = new OrderReceiver(createBook(16, page.values), page);
    receiver.onPayload(view, 0, payload(1n, Side.buy), stampNs);
    receiver.onBurstEnd();
    assert.equal(reader.read().received, 1);
    assert.equal(reader.read().book, 1);
  });

  it('drains trades in the middle of a burst rather than refusing an order', () => {
    using page = ReceiverPage.create();
    const trades: bigint[] = [];
    const handler = createBook(200_000, page.values, (trade) => trades.push(trade.makerId));
    const order = new OrderRecord();
    order.price = 10n;
    order.quantity = 1n;
    // More trades within one burst than the sink holds.
    for (let i = 1; i <= 100_000; i++) {
      order.id = BigInt(i);
      order.side = Side.buy;
      assert.ok(handler.onOrder(order) >= 0);
    }
    for (let i = 1; i <= 100_000; i++) {
      order.id = BigInt(1_000_000 + i);
      order.side = Side.sell;
      assert.equal(handler.onOrder(order), 1);
    }
    handler.onBurstEnd();
    assert.equal(trades.length, 100_000);
    assert.deepEqual(trades.slice(0, 3), [1n, 2n, 3n]);
  });
});

describe('QueueHandler and QueueReader', () => {
  it('carry orders to another thread in order, and refuse what finds the queue full', () => {
    const spec = { recordLen: ORDER_RECORD_LEN, capacity: 4 };
    const buffer = new SharedArrayBuffer(SpscQueue.sizeOf(spec));
    const queue = SpscQueue.create(buffer, 0, spec);
    using page = ReceiverPage.create();
    const receiver = new OrderReceiver(new QueueHandler(queue.producer()), page);
    for (let id = 1n; id <= 6n; id++) receiver.onPayload(view, 0, payload(id, Side.sell), Float64Array.of(7));
    receiver.onBurstEnd();
    assert.deepEqual(page.read().rejected, { queueFull: 2 });

    const ids: bigint[] = [];
    let bursts = 0;
    const reader = new QueueReader(queue.consumer(), {
      onOrder: (order) => {
        assert.equal(order.rxNs, 7);
        ids.push(order.id);
        return 0;
      },
      onBurstEnd: () => {
        bursts++;
      },
    });
    assert.equal(reader.arm(), false);
    assert.equal(reader.poll(3), 3);
    assert.equal(reader.poll(64), 1);
    assert.equal(reader.poll(64), 0);
    assert.deepEqual(ids, [1n, 2n, 3n, 4n]);
    assert.equal(bursts, 2);
    assert.deepEqual(reader.fds, []);
    assert.equal(reader.arm(), false, 'an empty queue wakes nobody either');
  });

  it('publish nothing before the burst ends', () => {
    const spec = { recordLen: ORDER_RECORD_LEN, capacity: 4 };
    const queue = SpscQueue.create(new ArrayBuffer(SpscQueue.sizeOf(spec)), 0, spec);
    const handler = new QueueHandler(queue.producer());
    const consumer = queue.consumer();
    assert.equal(handler.onOrder(new OrderRecord()), 0);
    assert.equal(consumer.available(), 0);
    handler.onBurstEnd();
    assert.equal(consumer.available(), 1);
  });
});
