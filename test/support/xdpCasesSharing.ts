import assert from 'node:assert/strict';
import { FLOW_SOCKETS } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import { XdpGroup, type XdpInterface, type XdpSocket } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT } from './frames.ts';
import { RawXdpSocket } from './rawXdpSocket.ts';
import { copyOf, frameOf, MIN_PAYLOAD_LEN, NumberedFlow, receive, sendAll, tagOf } from './xdpCasesFlow.ts';
import { RING, until, type XdpCases, type XdpRig } from './xdpCasesRig.ts';

/** In generic mode veth tells apart only the nicQueues from 1 on, and numbers them from 0. */
const QUEUES = 3;

/** Several sockets: on one umem, on one nicQueue, in one program's map, one after the other. */
export const sharingCases: XdpCases = {
  'two sockets on one nicQueue and umem share its chunks': {
    run(rig) {
      const umem = rig.umem({ shared: true, chunkCount: 8 * RING });
      const [first, second] = [rig.socket(rig.wire.a, { umem }), rig.socket(rig.wire.a, { umem })];
      const receiver = rig.openSocket(rig.wire.b);
      // Both send; whoever reaps takes the chunks of both.
      for (let round = 0; round < 20; round++) {
        sendAll(first, [frameOf(rig, 'a', 2 * round), frameOf(rig, 'a', 2 * round)]);
        sendAll(second, [frameOf(rig, 'a', 2 * round + 1)]);
        const tags = receive(receiver, 3).map(({ bytes }) => tagOf(bytes));
        assert.deepEqual(
          tags.toSorted((x, y) => x - y),
          [2 * round, 2 * round, 2 * round + 1],
        );
      }
      first.close();
      sendAll(second, [frameOf(rig, 'a', 99)]);
      receive(receiver, 1);
    },
  },

  'a socket takes the place of another in the map while frames arrive, and none is lost': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const umem = rig.umem({ shared: true, chunkCount: 8 * RING });
      const receivers = [rig.socket(rig.wire.b, { umem }), rig.socket(rig.wire.b, { umem })];
      const sockets = rig.redirect(rig.wire.b, { sockets: 1, index: 0 }).map(FLOW_SOCKETS);
      sockets.update(0, receivers[0]!.fd);
      const total = 20 * 100;
      const flow = new NumberedFlow(rig, {
        from: 'a',
        sender,
        receivers,
        total,
        payloadLen: () => MIN_PAYLOAD_LEN,
      });
      let moves = 0;
      until(
        () => {
          flow.step();
          if (flow.arrived < 100 * (moves + 1) || moves === 19) return flow.done;
          moves++;
          sockets.update(0, receivers[moves % 2]!.fd);
          return false;
        },
        () => `${total} frames, ${flow.arrived} arrived`,
      );
      assert.equal(moves, 19);
      for (const received of flow.received) assert.ok(received >= 500, `${flow.received} arrived at each`);
    },
  },

  'the nicQueues of an interface share a umem': {
    queues: QUEUES,
    run(rig) {
      const umem = rig.umem({ shared: true, chunkCount: 4 * QUEUES * RING });
      const senders = sendersOnAllQueues(rig);
      const opened = rig.open(rig.wire.b, { umem });
      assert.equal(opened.sockets.length, QUEUES);
      const perQueue = spread(rig, senders, opened.sockets, 60);
      assert.ok(perQueue.filter((count) => count > 0).length >= 2, `on several nicQueues: ${perQueue}`);
    },
  },

  'two interfaces share a umem: forwarding moves addrs and copies nothing': {
    run(rig) {
      const umem = rig.umem({ shared: true, chunkCount: 8 * RING });
      const a = rig.openSocket(rig.wire.a, { umem });
      const b = rig.openSocket(rig.wire.b, { umem });
      const frames = 24;
      const hops = 40;
      sendAll(
        a,
        Array.from({ length: frames }, (_, tag) => frameOf(rig, 'a', tag, 200)),
      );
      // What arrives at b leaves by a for b again, in the chunk that it came in.
      const burst = new Burst(32);
      const waiting = new Burst(64);
      const done = new Map<number, number>();
      until(
        () => {
          b.rx(burst);
          for (let i = 0; i < burst.count; i++) {
            const frame = copyOf(b, burst, i);
            const tag = tagOf(frame);
            assert.deepEqual(frame, frameOf(rig, 'a', tag, 200));
            done.set(tag, (done.get(tag) ?? 0) + 1);
          }
          forward(a, burst, waiting, (frame) => done.get(tagOf(frame))! < hops);
          b.recycle(burst);
          return done.size === frames && [...done.values()].every((count) => count === hops);
        },
        () => `${frames} frames to hop ${hops} times: ${[...done.values()]}`,
      );
      assert.equal(b.statistics().rxFrames, frames * hops);
      assert.equal(a.statistics().txFrames, frames * hops);
    },
  },

  'a group spreads the nicQueues of an interface over users that know of no other': {
    queues: QUEUES,
    run(rig) {
      const { namespace, name } = rig.wire.b;
      const { attach } = rig.environment;
      const senders = sendersOnAllQueues(rig);
      const group = rig.use(
        withNetns(
          namespace,
          () => new XdpGroup({ interface: name, flows: [{ port: TEST_UDP_PORT }], attach }),
        ),
      );
      assert.equal(group.attachMode, attach);
      const join = (queue: number): XdpInterface =>
        rig.open(rig.wire.b, { group: group.socketsFd, queues: [queue] });
      const lanes = Array.from({ length: QUEUES }, (_, queue) => join(queue));
      const perLane = spread(
        rig,
        senders,
        lanes.map(({ sockets }) => sockets[0]!),
        60,
      );
      assert.ok(perLane.filter((count) => count > 0).length >= 2, `on several lanes: ${perLane}`);
      assert.equal(group.flowCounters().redirected, 60);
      // One lane ends: the frames of its nicQueue pass to the kernel, counted, and the others go on.
      const ends = perLane.findIndex((count) => count > 0);
      rig.assertAllReturned();
      lanes[ends]!.close();
      const others = lanes.flatMap(({ sockets }, i) => (i === ends ? [] : [sockets[0]!]));
      spread(rig, senders, others, 60, 60 - perLane[ends]!);
      until(
        () => group.flowCounters().noSocket === perLane[ends],
        () => 'frames without a socket',
      );
      // And begins again.
      const again = join(ends);
      spread(rig, senders, [...others, again.sockets[0]!], 60);
    },
  },

  'one wake-up of copy mode sends what the tx budget says': {
    run(rig) {
      const umem = rig.umem({ debug: false });
      const receiver = rig.openSocket(rig.wire.b, { rxSize: 512, umem: rig.umem({ chunkCount: 2048 }) });
      using raw = new RawXdpSocket(rig.wire.a, umem, { txSize: 512, mode: rig.environment.mode });
      const { txBudget, tx } = raw.rings;
      assert.ok([32, 256].includes(txBudget), `256 frames, or 32 before Linux 6.17: ${txBudget}`);
      umem.bytes.set(frameOf(rig, 'a', 1), 2 * umem.chunkLen);
      for (let i = 0; i < 300; i++) raw.put(2 * umem.chunkLen, 60, 0);
      raw.kick();
      assert.equal(tx.size - tx.cursor.free(), 300 - txBudget);
      raw.drain();
      receive(receiver, 300);
    },
  },
};

/** A socket on each nicQueue of end a, with a umem of its own. */
function sendersOnAllQueues(rig: XdpRig): XdpSocket[] {
  return Array.from({ length: QUEUES }, (_, queue) => rig.socket(rig.wire.a, { umem: rig.umem(), queue }));
}

/** Sends `count` frames by all senders in turn, and receives `expected` of them. @returns how many each receiver got */
function spread(
  rig: XdpRig,
  senders: readonly XdpSocket[],
  receivers: readonly XdpSocket[],
  count: number,
  expected: number = count,
): number[] {
  for (let tag = 0; tag < count; tag++) sendAll(senders[tag % senders.length]!, [frameOf(rig, 'a', tag)]);
  const burst = new Burst(16);
  const counts = receivers.map(() => 0);
  const seen = new Set<number>();
  until(
    () => {
      for (const [i, receiver] of receivers.entries()) {
        counts[i]! += receiver.rx(burst);
        for (let at = 0; at < burst.count; at++) seen.add(tagOf(copyOf(receiver, burst, at)));
        receiver.recycle(burst);
      }
      return seen.size >= expected;
    },
    () => `${expected} frames on several nicQueues, ${counts} came`,
  );
  assert.equal(
    counts.reduce((sum, each) => sum + each),
    expected,
  );
  return counts;
}

/** Moves the frames of `burst` that `again` says yes to onto the tx ring of another socket; the others stay in it. */
function forward(to: XdpSocket, burst: Burst, waiting: Burst, again: (frame: Uint8Array) => boolean): void {
  let kept = 0;
  for (let i = 0; i < burst.count; i++) {
    const bound = again(copyOf(to, burst, i)) ? waiting : burst;
    const at = bound === waiting ? waiting.count++ : kept++;
    bound.addr[at] = burst.addr[i]!;
    bound.len[at] = burst.len[i]!;
    bound.region[at] = 0;
    bound.flags[at] = 0;
  }
  burst.count = kept;
  waiting.dropPrefix(to.tx(waiting));
  to.flush();
}
