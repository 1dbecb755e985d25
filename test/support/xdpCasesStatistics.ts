import assert from 'node:assert/strict';
import { FLOW_SOCKETS } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import { RawXdpSocket } from './rawXdpSocket.ts';
import { frameOf, receive, sendAll, tagOf } from './xdpCasesFlow.ts';
import { during, until, type XdpCases } from './xdpCasesRig.ts';

const PAGE = 4096;

/** What the kernel refuses and drops, and that it says so to the frame. */
export const statisticsCases: XdpCases = {
  'rxDropped counts each frame that is too long for a chunk, and the others arrive': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b, { chunkLen: 2048, unaligned: false, headroom: 1280 });
      const longest = receiver.umem.maxFrameLen - 42;
      assert.equal(longest, 470);
      sendAll(
        sender,
        Array.from({ length: 60 }, (_, tag) =>
          frameOf(rig, 'a', tag, tag % 3 === 0 ? longest + 1 + tag : longest),
        ),
      );
      const tags = receive(receiver, 40).map(({ bytes }) => tagOf(bytes));
      assert.ok(tags.every((tag) => tag % 3 !== 0));
      until(
        () => receiver.statistics().rxDropped >= 20,
        () => 'drops',
      );
      assert.equal(receiver.statistics().rxDropped, 20);
    },
  },

  'rxRingFull counts each frame that found the rx ring full': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      const receiver = rig.openSocket(rig.wire.b, { rxSize: 32 });
      sendAll(
        sender,
        Array.from({ length: 50 }, (_, tag) => frameOf(rig, 'a', tag)),
      );
      until(
        () => receiver.statistics().rxRingFull >= 18,
        () => 'a full rx ring',
      );
      assert.deepEqual(
        receive(receiver, 32).map(({ bytes }) => tagOf(bytes)),
        Array.from({ length: 32 }, (_, tag) => tag),
      );
      during(20, () => assert.equal(receiver.rx(new Burst(1)), 0));
      const { rxRingFull, rxDropped, rxFillRingEmpty } = receiver.statistics();
      assert.deepEqual(
        { rxRingFull, rxDropped, rxFillRingEmpty },
        { rxRingFull: 18, rxDropped: 0, rxFillRingEmpty: 0 },
      );
    },
  },

  'rxFillRingEmpty counts each frame that found no chunk, and what comes after a refill arrives': {
    run(rig) {
      const sender = rig.openSocket(rig.wire.a);
      // Half of the chunks are kept for sending: 32 are lent.
      const umem = rig.umem({ chunkCount: 64 });
      const receiver = rig.openSocket(rig.wire.b, { umem });
      sendAll(
        sender,
        Array.from({ length: 50 }, (_, tag) => frameOf(rig, 'a', tag)),
      );
      until(
        () => receiver.statistics().rxFillRingEmpty >= 18,
        () => 'an empty fill ring',
      );
      const { rxRingFull, rxDropped, rxFillRingEmpty } = receiver.statistics();
      assert.deepEqual(
        { rxRingFull, rxDropped, rxFillRingEmpty },
        { rxRingFull: 0, rxDropped: 18, rxFillRingEmpty: 18 },
      );
      receive(receiver, 32);
      sendAll(
        sender,
        Array.from({ length: 10 }, (_, tag) => frameOf(rig, 'a', 100 + tag)),
      );
      receive(receiver, 10);
      assert.equal(receiver.statistics().rxFillRingEmpty, 18);
    },
  },

  'addrs on the fill ring that are in no chunk are stepped over': {
    run(rig) {
      const umem = rig.umem({ debug: false });
      using raw = new RawXdpSocket(rig.wire.b, umem, { mode: rig.environment.mode });
      const program = rig.redirect(rig.wire.b, { sockets: 1, index: 0 });
      program.map(FLOW_SOCKETS).update(0, raw.rings.fd.fd);
      const sender = rig.socket(rig.wire.a, { umem: rig.umem() });
      const { fill } = raw.rings;
      const addrs = [umem.len, 0, umem.len + 7 * PAGE, 2 * umem.chunkLen];
      assert.equal(fill.cursor.reserve(addrs.length), addrs.length);
      for (const [i, addr] of addrs.entries()) {
        fill.words[2 * fill.cursor.slot(i)] = addr;
        fill.words[2 * fill.cursor.slot(i) + 1] = 0;
      }
      fill.cursor.submit(addrs.length);
      raw.kick();
      sendAll(sender, [frameOf(rig, 'a', 1), frameOf(rig, 'a', 2)]);
      until(
        () => raw.rings.rx.cursor.available() === 2,
        () => 'two frames in the chunks that there are',
      );
      // NB: the kernel reports the rx ring's count, which is never raised, and not the fill ring's.
      assert.ok([0, 2].includes(raw.statistics().rxInvalidDescs));
    },
  },
};
