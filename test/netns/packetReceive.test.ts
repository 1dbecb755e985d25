import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  encodeIntendedTime,
  encodeOrder,
  OrderRecord,
  receiveOrders,
  STAMPED_ORDER_LEN,
} from '../../src/order/index.ts';
import { deleteLink, nowNs, SystemError, UdpSocket, withNetns } from '../../src/sys/index.ts';
import type { TestVeth } from '../support/vethPair.ts';
import { onVeth, until } from './packetRig.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const UDP_PORT = 9000;

/** Has the far kernel send orders: in bursts, with a pause after each. */
async function sendOrders(veth: TestVeth, bursts: number): Promise<number> {
  using socket = withNetns(
    veth.a.namespace,
    () => new UdpSocket({ peer: { address: veth.b.address, port: UDP_PORT }, burst: 32, maxLen: 64 }),
  );
  const order = new OrderRecord();
  order.price = 100n;
  order.quantity = 1n;
  let sent = 0;
  for (let burst = 0; burst < bursts; burst++) {
    for (let i = 0; i < 32; i++) {
      order.id = BigInt(++sent);
      order.intendedNs = nowNs();
      const at = socket.reserve(STAMPED_ORDER_LEN);
      encodeOrder(socket.sendView, at, order);
      encodeIntendedTime(socket.sendView, at, order);
    }
    // An answer of "port unreachable", from before anybody received, costs a call.
    for (let left = 32; left > 0; ) left -= Math.max(0, socket.flush());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return sent;
}

for (const txChecksum of [false, true]) {
  const checksums = txChecksum ? 'left to the NIC' : 'computed by the sender';
  onVeth(
    `an order flow of a kernel sender goes over packet: into the book, checksums ${checksums}`,
    async (veth) => {
      await using receiver = await receiveOrders({
        via: `packet:${veth.b.name}`,
        udpPort: UDP_PORT,
        netns: veth.b.namespace.path,
        idle: 'block',
      });
      const sent = await sendOrders(veth, 100);
      await until('all orders arrived', () => receiver.read().received >= sent);
      const { received, rejected, book } = receiver.read();
      assert.deepEqual({ received, rejected, book }, { received: sent, rejected: {}, book: sent });
      for (const [reason, count] of Object.entries(await receiver.stop())) assert.equal(count, 0, reason);
    },
    { txChecksum },
  );
}

onVeth('a receiver over packet: ends with the error when its interface is removed', async (veth) => {
  await using receiver = await receiveOrders({
    via: `packet:${veth.b.name}`,
    udpPort: UDP_PORT,
    netns: veth.b.namespace.path,
    idle: 'block',
  });
  await sendOrders(veth, 1);
  await until('orders arrive', () => receiver.read().received === 32);
  withNetns(veth.b.namespace, () => deleteLink(veth.b.name));
  await assert.rejects(receiver.failed, (error) => {
    assert.ok(error instanceof SystemError);
    assert.equal(error.code, 'ENETDOWN');
    assert.match(error.message, /packet socket of vb/);
    return true;
  });
});

onVeth(
  'barewire receive --via packet: counts orders, and says that the kernel sees them too',
  async (veth) => {
    const args = [MAIN, 'receive', '--via', `packet:${veth.b.name}?rx=1024`, '--seconds', '3', '--json'];
    const child = withNetns(veth.b.namespace, () => spawn(process.execPath, args));
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = once(child, 'close');
    let sent = 0;
    const flood = setInterval(async () => {
      sent += await sendOrders(veth, 1);
    }, 50);
    assert.deepEqual(await ended, [0, null]);
    clearInterval(flood);
    const { via, accelerated, received } = JSON.parse(out.trim().split('\n').at(-1)!) as Record<
      string,
      unknown
    >;
    assert.deepEqual({ via, accelerated }, { via: 'packet', accelerated: false });
    assert.ok((received as number) >= 32 && (received as number) <= sent, `received ${received} of ${sent}`);
  },
);
