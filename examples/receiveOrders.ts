// Receives orders into a book on a thread of their own, while this one sends them and then reads the counters. Over a
// kernel UDP socket, so it needs no privileges; with root, `via: 'xdp:eth0'` takes them from the driver instead.
//
//   node bin/launch.js examples/receiveOrders.ts
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeOrder, ORDER_LEN, OrderRecord, parseDecimal, receiveOrders, Side } from 'barewire/order';

const COUNT = 1000;

// `failed` rejects if the receiver ends by itself, such as when its interface is removed.
await using receiver = await receiveOrders({ via: 'udp:127.0.0.1', udpPort: 0, idle: 'block' });
const { udpPort, mode, accelerated, reasons } = receiver.report;
console.log(`receiving: ${mode}${accelerated ? '' : ', not accelerated'}`);
for (const reason of reasons) console.log(reason);

const socket = createSocket('udp4');
const send = (payload: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send(payload, udpPort, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  });

const order = new OrderRecord();
order.quantity = parseDecimal('10');
for (let id = 1; id <= COUNT; id++) {
  order.id = BigInt(id);
  order.side = id % 2 === 0 ? Side.buy : Side.sell;
  order.price = parseDecimal(id % 2 === 0 ? '99.5' : '100.5');
  const payload = new Uint8Array(ORDER_LEN);
  encodeOrder(new DataView(payload.buffer), 0, order);
  await send(payload);
}
await send(new Uint8Array(24)); // one byte less than an order
socket.close();

const deadline = performance.now() + 5_000;
while (receiver.read().received <= COUNT && performance.now() < deadline) {
  await Promise.race([sleep(10), receiver.failed]);
}
const drops = await receiver.stop();
const { received, rejected, trades, book } = receiver.read();
console.log({ received, rejected, trades, book, drops });
