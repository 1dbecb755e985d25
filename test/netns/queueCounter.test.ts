import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  BpfProgram,
  type CountedFlow,
  QueueCounter,
  queueCounterSpec,
  readQueueCounts,
  verdictProgramSpec,
  XDP_PASS,
  XdpLink,
} from '../../src/bpf/index.ts';
import { leakedFds, link, NetworkNamespace, SystemError, UdpSocket, withNetns } from '../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

const QUEUES = 4;

function privileged(name: string, run: (t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (!requireRoot(t)) return;
    const open = leakedFds().length;
    await run(t);
    assert.equal(leakedFds().length, open, 'a descriptor was left open');
  });
}

interface Datagram {
  readonly from?: string;
  readonly to?: string;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly tagged?: boolean;
}

function frameOf(datagram: Datagram): Uint8Array {
  const { from = '10.0.0.1', to = '10.0.0.2', sourcePort = 4000, port = 9000, tagged = false } = datagram;
  const template = new UdpFrameTemplate({
    destinationMac: '02:00:00:00:00:01',
    sourceMac: '02:00:00:00:00:02',
    sourceAddress: from,
    destinationAddress: to,
    sourcePort,
    destinationPort: port,
    vlans: tagged ? [{ id: 5 }] : [],
  });
  const view = new DataView(new ArrayBuffer(200));
  return new Uint8Array(view.buffer, 0, template.write(view, 0, 25));
}

/** Runs the counting program on frames of a nicQueue each and returns the counts. */
function countsOf(flow: CountedFlow, frames: readonly (readonly [queue: number, Datagram])[]): number[] {
  using veth = testVeth({ queues: QUEUES });
  return withNetns(veth.b.namespace, () => {
    using program = BpfProgram.load(queueCounterSpec(flow, QUEUES));
    const ifindex = link(veth.b.name).index;
    for (const [rxQueue, datagram] of frames) {
      const { returned } = program.testRun({ frame: frameOf(datagram), ifindex, rxQueue });
      assert.equal(returned, XDP_PASS);
    }
    return readQueueCounts(program.map('queue_counts'));
  });
}

const v6 = { from: 'fd00::1', to: 'fd00::2' };

privileged('the counting program counts the frames of its flow under their nicQueue, and passes all', () => {
  assert.deepEqual(
    countsOf({ port: 9000 }, [
      [0, {}],
      [3, {}],
      [3, { tagged: true }],
      [2, v6],
      [1, { port: 9001 }],
      [1, { ...v6, port: 9001 }],
    ]),
    [1, 0, 1, 2],
  );
});

privileged('the counting program tells sources apart by address and port, over IPv4 and IPv6', () => {
  const source = (from: string): [number, Datagram][] => [
    [0, { from: '10.0.0.1' }],
    [0, { from: '10.0.0.9' }],
    [1, v6],
    [1, { ...v6, from: 'fd00::9' }],
    [2, { from, to: from.includes(':') ? 'fd00::2' : '10.0.0.2', sourcePort: 4001 }],
  ];
  const all = [
    ['10.0.0.9', [1, 0, 1, 0]],
    ['fd00::9', [0, 1, 1, 0]],
  ] as const;
  for (const [from, counts] of all) {
    assert.deepEqual(countsOf({ port: 9000, sourceAddress: from }, source(from)), counts);
    assert.deepEqual(
      countsOf({ port: 9000, sourceAddress: from, sourcePort: 4001 }, source(from)),
      [0, 0, 1, 0],
    );
  }
  assert.deepEqual(countsOf({ port: 9000, sourcePort: 4001 }, source('10.0.0.9')), [0, 0, 1, 0]);
});

privileged('a QueueCounter counts what the far kernel sends, which our kernel receives all the same', () => {
  using veth = testVeth({ queues: QUEUES });
  using server = withNetns(veth.b.namespace, () => new UdpSocket({ port: 9000 }));
  using counter = withNetns(
    veth.b.namespace,
    () => new QueueCounter({ interface: veth.b.name, flow: { port: 9000, address: veth.b.address } }),
  );
  const peer = { address: veth.b.address, port: 9000 };
  using client = withNetns(veth.a.namespace, () => new UdpSocket({ peer }));
  for (let i = 0; i < 7; i++) {
    client.reserve(25);
    assert.equal(client.flush(), 1);
  }
  let received = 0;
  for (const end = performance.now() + 3000; received < 7 && performance.now() < end; )
    received += Math.max(0, server.receive(32));
  assert.equal(received, 7);
  const frames = counter.frames();
  assert.equal(frames.length, QUEUES);
  assert.deepEqual(frames.toSorted(), [0, 0, 0, 7], 'a flow stays on its nicQueue');
});

privileged('a QueueCounter gives the interface back when it is closed', () => {
  using veth = testVeth();
  const attached = (): unknown => withNetns(veth.b.namespace, () => link(veth.b.name).xdp);
  const spec = { interface: veth.b.name, flow: { port: 9000 } };
  const counter = withNetns(veth.b.namespace, () => new QueueCounter(spec));
  assert.ok(attached() !== undefined);
  counter.close();
  counter.close();
  assert.equal(attached(), undefined);
});

privileged('a QueueCounter refuses an interface with an XDP program, and names that', () => {
  using namespace = NetworkNamespace.create();
  withNetns(namespace, () => {
    using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    using _link = XdpLink.attach(program, link('lo'), 'generic');
    assert.throws(
      () => new QueueCounter({ interface: 'lo', flow: { port: 9000 }, attach: 'generic' }),
      (error) => error instanceof SystemError && error.code === 'EBUSY' && /xdp_pass/.test(error.message),
    );
  });
});
