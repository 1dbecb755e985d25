import assert from 'node:assert/strict';
import { FLOW_SOCKETS } from '../../src/bpf/index.ts';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import { XDP_PACKET_HEADROOM, type XdpInterfaceSpec, type XdpSocket } from '../../src/xdp/index.ts';
import {
  append,
  copyOf,
  frameOf,
  NumberedFlow,
  receive,
  receiveWhole,
  sendAll,
  tagOf,
} from './xdpCasesFlow.ts';
import { during, RING, until, type XdpCases, type XdpRig } from './xdpCasesRig.ts';

/** Ten times as many as there are chunks in all. */
const MANY = 40 * RING;

/** Frames that are sent, received and given back: the ways through the rings. */
export const trafficCases: XdpCases = {
  'one frame arrives': { run: (rig) => runToCompletion(rig, 1) },

  'many frames arrive, each once': { run: (rig) => runToCompletion(rig, MANY) },

  'many frames arrive in chunks of 2,048 bytes': {
    run: (rig) => runToCompletion(rig, MANY / 10, { chunkLen: 2048, unaligned: false }),
  },

  'many frames arrive in chunks of 4,096 bytes': {
    run: (rig) => runToCompletion(rig, MANY / 10, { chunkLen: 4096, unaligned: false }),
  },

  'many frames arrive in unaligned chunks of odd sizes': {
    run(rig) {
      // Few enough for one huge page.
      const rings = { rxSize: RING / 2, txSize: RING / 2 };
      for (const chunkLen of [2049, 3333, 4001, 4096]) {
        runToCompletion(rig, MANY / 20, { chunkLen, unaligned: true, ...rings });
      }
    },
  },

  'many frames arrive over rings of 2 slots': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a, { rxSize: 2, txSize: 2 });
      const receiver = rig.openSocket(rig.wire.b, { rxSize: 2, txSize: 2 });
      new NumberedFlow(rig, { from: 'a', sender, receivers: [receiver], total: 200, window: 2 }).run();
    },
  },

  'both directions work at once': {
    run(rig) {
      const { a, b } = rig.wire;
      const atA = rig.openSocket(a);
      const atB = rig.openSocket(b);
      const total = MANY / 10;
      const there = new NumberedFlow(rig, { from: 'a', sender: atA, receivers: [atB], total });
      const back = new NumberedFlow(rig, { from: 'b', sender: atB, receivers: [atA], total });
      until(
        () => {
          there.step();
          back.step();
          return there.done && back.done;
        },
        () => `both directions, ${there.arrived} and ${back.arrived} arrived`,
      );
    },
  },

  'a frame lies headroom bytes further into its chunk': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      for (const headroom of [0, 1, 128, 254]) {
        using xdp = rig.open(rig.wire.b, { headroom });
        const [socket] = xdp.sockets;
        sendAll(sender, [frameOf(rig, 'a', headroom, 300)]);
        const [{ addr, bytes }] = receive(socket!, 1) as [{ addr: number; bytes: Uint8Array }];
        assert.deepEqual(bytes, frameOf(rig, 'a', headroom, 300));
        assert.equal(addr - socket!.umem.pool.chunkOf(addr), XDP_PACKET_HEADROOM + headroom);
        rig.assertAllReturned();
      }
    },
  },

  'metadata of the program stands before the frame: the time at which it was seen': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b, { metadata: { timestamp: 'kernel' } });
      const burst = new Burst(8, { timestamps: true });
      let lastNs = 0;
      for (let tag = 0; tag < 20; tag++) {
        const beforeNs = nowNs();
        sendAll(sender, [frameOf(rig, 'a', tag)]);
        until(
          () => receiver.rx(burst) > 0,
          () => 'the frame',
        );
        const afterNs = nowNs();
        const ns = burst.timestampNs![0]!;
        assert.ok(ns >= beforeNs && ns <= afterNs, `${ns} is from ${beforeNs} to ${afterNs}`);
        assert.ok(ns > lastNs, 'and later than the frame before');
        lastNs = ns;
        assert.deepEqual(copyOf(receiver, burst, 0), frameOf(rig, 'a', tag));
        receiver.recycle(burst);
      }
    },
  },

  'a program that drops every other frame lets exactly half of them arrive': {
    run(rig) {
      const sender = rig.socket(rig.wire.a, { umem: rig.umem() });
      const receiver = rig.socket(rig.wire.b, { umem: rig.umem() });
      const program = rig.redirect(rig.wire.b, { sockets: 1, index: 0, every: 2 });
      program.map(FLOW_SOCKETS).update(0, receiver.fd);
      const sent = Array.from({ length: 100 }, (_, tag) => frameOf(rig, 'a', tag));
      sendAll(sender, sent);
      const tags = receive(receiver, 50).map(({ bytes }) => tagOf(bytes));
      during(20, () => assert.equal(receiver.rx(new Burst(1)), 0, 'and no more'));
      if (rig.environment.strictOrder) {
        assert.deepEqual(
          tags,
          tags.map((_, i) => 2 * i),
        );
      }
      assert.equal(new Set(tags).size, 50);
    },
  },

  'frames of 60 to 9,000 bytes over several chunks arrive whole': {
    mtu: 9000,
    run(rig) {
      const sender = rig.openSocket(rig.wire.a, { multiBuffer: true });
      const receiver = rig.openSocket(rig.wire.b, { multiBuffer: true });
      const random = randomNumbers(rig.environment.name.length);
      for (let round = 0; round < 30; round++) {
        const frames = Array.from({ length: 12 }, (_, i) =>
          frameOf(rig, 'a', round * 12 + i, 18 + Math.floor(random() ** 2 * 8941)),
        );
        sendCut(sender, frames, random);
        const arrived = receiveWhole(receiver, frames.length);
        if (!rig.environment.strictOrder) arrived.sort((x, y) => tagOf(x) - tagOf(y));
        assert.deepEqual(
          arrived,
          frames.map((frame) => Buffer.from(frame)),
        );
      }
      assert.equal(sender.statistics().txFrames, 360);
      assert.equal(receiver.statistics().rxFrames, 360);
    },
  },
};

/** Frames of every length from one end to the other until all have arrived. */
function runToCompletion(rig: XdpRig, total: number, spec: Partial<XdpInterfaceSpec> = {}): void {
  using a = rig.open(rig.wire.a, spec);
  using b = rig.open(rig.wire.b, spec);
  const sender = a.sockets[0]!;
  const receiver = b.sockets[0]!;
  new NumberedFlow(rig, { from: 'a', sender, receivers: [receiver], total }).run();
  const sent = sender.statistics();
  const received = receiver.statistics();
  assert.equal(sent.txFrames, total);
  assert.equal(received.rxFrames, total);
  for (const drop of ['rxDropped', 'rxRingFull', 'rxInvalidDescs', 'rxFillRingEmpty'] as const) {
    if (rig.environment.mode === 'copy' || drop !== 'rxFillRingEmpty') assert.equal(received[drop], 0, drop);
  }
  assert.equal(sent.txInvalidDescs, 0);
  assert.equal(b.flowCounters().redirected, total);
  rig.assertAllReturned();
  assert.equal(sender.statistics().txCompleted, total);
}

/** Numbers from 0 to 1 that a seed tells. */
function randomNumbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** Sends frames cut into pieces at random, each in a chunk of its own. */
function sendCut(socket: XdpSocket, frames: readonly Uint8Array[], random: () => number): void {
  const { chunkLen, txHeadroom } = socket.umem;
  for (const frame of frames) {
    const burst = new Burst(32);
    for (let at = 0; at < frame.length; ) {
      // The headers are not cut: a program sees what lies in the first buffer.
      const longest = Math.min(chunkLen - txHeadroom, frame.length - at);
      const len = Math.max(Math.min(longest, at === 0 ? 60 : 1), Math.ceil(random() ** 0.2 * longest));
      until(
        () => append(socket, burst, frame.subarray(at, at + len)),
        () => 'a chunk',
      );
      at += len;
      burst.flags[burst.count - 1] = at < frame.length ? FrameFlags.continues : 0;
    }
    assert.equal(socket.tx(burst), burst.count);
    socket.flush();
  }
}
