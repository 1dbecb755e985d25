import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Burst } from '../../../src/core/index.ts';
import {
  encodeIntendedTime,
  encodeOrder,
  OrderRecord,
  receiveOrders,
  STAMPED_ORDER_LEN,
} from '../../../src/order/index.ts';
import { XdpPort } from '../../../src/port/index.ts';
import { nowNs, UdpSocket, withNetns } from '../../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../../src/wire/index.ts';
import type { TestVeth } from '../../support/vethPair.ts';
import { awaitCarrier, testWire } from './testWire.ts';

const UDP_PORT = 9000;
const ORDERS = 2000;
const BURST = 16;
/** Orders on their way, so few that no queue overflows. */
const WINDOW = 128;

/** Sends the orders with the ids from `first` on. */
type Send = (first: number, count: number) => void;

describe('the order flow over zero-copy AF_XDP', () => {
  it(`books ${ORDERS} orders that the kernel of another host sends`, async (t) => {
    using wire = testWire();
    const peer = { address: wire.b.address, port: UDP_PORT };
    const socket = withNetns(wire.a.namespace, () => new UdpSocket({ peer, burst: BURST, maxLen: 64 }));
    try {
      await bookOrders(t, wire, (first, count) => {
        for (let i = 0; i < count; i++) {
          writeOrder(socket.sendView, socket.reserve(STAMPED_ORDER_LEN), first + i);
        }
        socket.flush();
      });
    } finally {
      socket.close();
    }
  });

  it(`books ${ORDERS} orders that a zero-copy port sends`, async (t) => {
    using wire = testWire();
    using port = withNetns(
      wire.a.namespace,
      () =>
        new XdpPort({ interface: wire.a.name, flows: [{ port: UDP_PORT }], mode: 'zerocopy', strict: true }),
    );
    assert.match(port.report.mode, /native mode, zerocopy/);
    const template = new UdpFrameTemplate({
      sourceMac: wire.a.mac,
      destinationMac: wire.b.mac,
      sourceAddress: wire.a.address,
      destinationAddress: wire.b.address,
      sourcePort: UDP_PORT,
      destinationPort: UDP_PORT,
    });
    const burst = new Burst(BURST);
    await bookOrders(t, wire, (first, count) => {
      burst.clear();
      assert.equal(port.alloc(burst, count), count);
      for (let i = 0; i < count; i++) {
        const { view } = port.regions[burst.region[i]!]!;
        writeOrder(view, burst.addr[i]! + template.headerLen, first + i);
        burst.len[i] = template.write(view, burst.addr[i]!, STAMPED_ORDER_LEN);
      }
      assert.equal(port.tx(burst), count);
      port.flush();
    });
  });
});

/** Starts a strict receiver, sends it all orders, and compares its counters. */
async function bookOrders(t: TestContext, wire: TestVeth, send: Send): Promise<void> {
  const { name, namespace } = wire.b;
  await using receiver = await receiveOrders({
    via: `xdp:${name}?mode=zerocopy&attach=native`,
    strict: true,
    udpPort: UDP_PORT,
    netns: namespace.path,
    maxOrders: ORDERS,
  });
  const { mode, reasons } = receiver.report;
  assert.match(mode, /native mode, zerocopy/);
  assert.deepEqual(reasons, []);
  t.diagnostic(mode);
  awaitCarrier(wire);
  const startNs = nowNs();
  for (let sent = 0; sent < ORDERS; ) {
    const count = Math.min(BURST, ORDERS - sent);
    send(sent + 1, count);
    sent += count;
    const awaited = sent === ORDERS ? ORDERS : sent - (WINDOW - BURST);
    await Promise.race([receiver.failed, arrivals(() => receiver.read().received, awaited)]);
  }
  const seconds = (nowNs() - startNs) / 1e9;
  const { received, rejected, book } = receiver.read();
  assert.deepEqual({ received, rejected, book }, { received: ORDERS, rejected: {}, book: ORDERS });
  t.diagnostic(`${Math.round(ORDERS / seconds)} orders/s`);
  const lost = Object.entries(await receiver.stop()).filter(([, count]) => count > 0);
  assert.deepEqual(lost, []);
}

const order = new OrderRecord();
order.price = 100n;
order.quantity = 1n;

function writeOrder(view: DataView, at: number, id: number): void {
  order.id = BigInt(id);
  order.intendedNs = nowNs();
  encodeOrder(view, at, order);
  encodeIntendedTime(view, at, order);
}

async function arrivals(received: () => number, count: number): Promise<void> {
  for (let i = 0; received() < count; i++) {
    assert.ok(i < 20_000, `Waited 20 s in vain for order ${count}; ${received()} came`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
