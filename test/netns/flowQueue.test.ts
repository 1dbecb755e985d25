import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CountedFlow } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import { leakedFds, link, UdpSocket, withNetns } from '../../src/sys/index.ts';
import { type FlowQueue, type FlowQueueSpec, flowQueue, XdpInterface } from '../../src/xdp/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';

const QUEUES = 4;
const PORT = 9000;

function onVeth(name: string, run: (veth: TestVeth) => Promise<void>, queues = QUEUES): void {
  test(name, async (t: TestContext) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    {
      using veth = testVeth({ queues });
      // Somebody has to listen, or the sender is refused.
      using _listener = withNetns(veth.b.namespace, () => new UdpSocket({ port: PORT }));
      await run(veth);
      assert.equal(
        withNetns(veth.b.namespace, () => link(veth.b.name).xdp),
        undefined,
        'nothing stays attached',
      );
    }
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

/** Asks in the namespace of the receiving end, where everything is opened before the first wait. */
function ask(veth: TestVeth, more: Partial<FlowQueueSpec> = {}): Promise<FlowQueue> {
  const flow = { port: PORT, address: veth.b.address };
  return withNetns(veth.b.namespace, () => ({
    answer: flowQueue({ interface: veth.b.name, flow, ...more }),
  })).answer;
}

function senderTo(veth: TestVeth): UdpSocket {
  const peer = { address: veth.b.address, port: PORT };
  return withNetns(veth.a.namespace, () => new UdpSocket({ peer, address: veth.a.address }));
}

function send(socket: UdpSocket, count: number): void {
  for (let i = 0; i < count; i++) {
    socket.reserve(25);
    assert.equal(socket.flush(), 1);
  }
}

const flowOf = (veth: TestVeth, { local }: UdpSocket): CountedFlow => ({
  port: PORT,
  address: veth.b.address,
  sourceAddress: local.address,
  sourcePort: local.port,
});

/** The nicQueues on which AF_XDP sockets receive `count` datagrams of the sender. */
function queuesOfSockets(
  veth: TestVeth,
  sender: UdpSocket,
  count: number,
  attach: 'native' | 'generic',
): number[] {
  using xdp = withNetns(
    veth.b.namespace,
    () =>
      new XdpInterface({
        interface: veth.b.name,
        flows: [{ port: PORT }],
        rxSize: 64,
        txSize: 64,
        attach,
      }),
  );
  send(sender, count);
  const burst = new Burst(32);
  const seen = new Set<number>();
  let total = 0;
  for (const end = performance.now() + 3000; total < count && performance.now() < end; ) {
    for (const socket of xdp.sockets) {
      if (socket.rx(burst) === 0) continue;
      total += burst.count;
      seen.add(socket.queue);
      socket.recycle(burst);
    }
  }
  assert.equal(total, count);
  return [...seen];
}

for (const attach of ['native', 'generic'] as const) {
  onVeth(
    `the nicQueue observed in ${attach} mode is that of the AF_XDP socket that receives`,
    async (veth) => {
      const seen = new Set<number>();
      // The sender's kernel hashes a flow to its transmit queue; from that comes the nicQueue of the far end of a veth.
      for (let i = 0; i < 8; i++) {
        using sender = senderTo(veth);
        const asked = ask(veth, { flow: flowOf(veth, sender), watchMs: 5000, attach });
        send(sender, 3);
        const { queue, via, frames, reasons } = await asked;
        assert.equal(via, 'observed', reasons.join());
        assert.equal(frames.length, QUEUES);
        assert.ok(frames[queue!]! >= 1);
        assert.deepEqual(reasons, ['not computed: the driver does not tell how it hashes']);
        assert.deepEqual(queuesOfSockets(veth, sender, 20, attach), [queue]);
        seen.add(queue!);
      }
      assert.ok(seen.size > 1, 'eight flows all on one nicQueue would prove nothing');
    },
  );
}

onVeth('a flow of several sources has no nicQueue, and the frames of each are told', async (veth) => {
  const senders = Array.from({ length: 16 }, () => senderTo(veth));
  const asked = ask(veth, { watchMs: 200 });
  for (const sender of senders) send(sender, 1);
  const { queue, via, frames, reasons } = await asked;
  for (const sender of senders) sender.close();
  assert.deepEqual([queue, via], [undefined, undefined]);
  assert.equal(
    frames.reduce((sum, count) => sum + count),
    16,
  );
  assert.match(reasons[1]!, /^not observed: it arrives on queues \d, \d.*: several flows to the NIC$/);
});

onVeth('a flow of which nothing arrives has no nicQueue', async (veth) => {
  using sender = senderTo(veth);
  const other = { ...flowOf(veth, sender), sourcePort: sender.local.port ^ 1 };
  const asked = ask(veth, { flow: other, watchMs: 100 });
  send(sender, 3);
  const { queue, frames, reasons } = await asked;
  assert.deepEqual([queue, frames], [undefined, [0, 0, 0, 0]]);
  assert.equal(reasons[1], 'not observed: no frame of it arrived within 100 ms');
});

onVeth('watching 0 ms attaches nothing, and an XDP program that is there is named', async (veth) => {
  assert.deepEqual((await ask(veth, { watchMs: 0 })).frames, []);
  using _xdp = withNetns(
    veth.b.namespace,
    () => new XdpInterface({ interface: veth.b.name, flows: [{ port: PORT }], rxSize: 64, txSize: 64 }),
  );
  const { queue, reasons } = await ask(veth);
  assert.equal(queue, undefined);
  assert.match(reasons[1]!, /^not observed: Cannot attach XDP program .*\(flow\)/);
});

onVeth(
  'an interface with one nicQueue needs no watching',
  async (veth) => {
    assert.deepEqual(await ask(veth), { queue: 0, via: 'only', frames: [], reasons: [] });
  },
  1,
);
