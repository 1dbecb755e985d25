import assert from 'node:assert/strict';
import { BpfProgram, verdictProgramSpec } from '../../src/bpf/index.ts';
import { Burst } from '../../src/core/index.ts';
import { SystemError } from '../../src/sys/index.ts';
import type { Umem, XdpSocket } from '../../src/xdp/index.ts';
import { frameOf, receive, sendAll } from './xdpCasesFlow.ts';
import { until, type XdpCases } from './xdpCasesRig.ts';

/** Whose the chunks are, and whose the interface is. */
export const ownershipCases: XdpCases = {
  'a chunk that is not given back is told at close, with the place where it was taken': {
    run(rig) {
      const umem = rig.umem();
      const socket = rig.socket(rig.wire.a, { umem });
      takeHere(socket);
      socket.close();
      assert.throws(
        () => umem.close(),
        /Cannot account for 1 chunks.*with application, last taken.*takeHere/s,
      );
    },
  },

  'a received chunk that is not given back is told at close, with the place where it was received': {
    run(rig) {
      const umem = rig.umem();
      const opened = rig.open(rig.wire.b, { umem });
      const far = rig.openSocket(rig.wire.a);
      sendAll(far, [frameOf(rig, 'a', 1)]);
      receiveHere(opened.sockets[0]!);
      opened.close();
      assert.throws(
        () => umem.close(),
        /Cannot account for 1 chunks.*with application, last taken.*receiveHere/s,
      );
    },
  },

  'a chunk that is recycled twice throws, with the place where it was taken': {
    run(rig) {
      const socket = rig.socket(rig.wire.a, { umem: rig.umem() });
      const burst = takeHere(socket);
      const twice = new Burst(1);
      copyOver(burst, twice);
      socket.recycle(burst);
      assert.throws(() => socket.recycle(twice), /Cannot move chunk at \d+ from application.*takeHere/s);
    },
  },

  'a frame that is sent after it was recycled throws, with the place where it was taken': {
    run(rig) {
      const socket = rig.socket(rig.wire.a, { umem: rig.umem() });
      const burst = takeHere(socket);
      const late = new Burst(1);
      copyOver(burst, late);
      late.len[0] = 60;
      socket.recycle(burst);
      assert.throws(() => socket.tx(late), /Cannot move chunk at \d+ from application to tx.*takeHere/s);
    },
  },

  'a frame that is sent twice, or recycled while it is being sent, throws': {
    run(rig) {
      const socket = rig.socket(rig.wire.a, { umem: rig.umem() });
      const burst = takeHere(socket);
      burst.len[0] = 60;
      const again = new Burst(1);
      copyOver(burst, again);
      assert.equal(socket.tx(burst), 1);
      assert.throws(() => socket.tx(again), /from application to tx: its owner is tx/);
      assert.throws(() => socket.recycle(again), /from application to (fill|free): its owner is tx/);
    },
  },

  'another program is named and refused, and taken off only on request': {
    run(rig) {
      const other = rig.use(BpfProgram.load(verdictProgramSpec('XDP_PASS')));
      rig.attach(rig.wire.b, other);
      const { id } = other.info();
      const { name } = other.spec;
      assert.throws(
        () => rig.open(rig.wire.b),
        (error) =>
          error instanceof SystemError && error.message.includes(`${id}`) && error.message.includes(name),
      );
      const opened = rig.open(rig.wire.b, { replace: true });
      assert.match(opened.reasons.join('\n'), new RegExp(`taken off and not put back: .*\\b${id}\\b`));
      assert.ok(opened.reasons.join('\n').includes(name));
      const far = rig.openSocket(rig.wire.a);
      sendAll(far, [frameOf(rig, 'a', 5)]);
      receive(opened.sockets[0]!, 1);
    },
  },

  'a second socket on a umem that is not shared is refused, with the remedy': {
    run(rig) {
      const umem: Umem = rig.umem();
      rig.socket(rig.wire.a, { umem });
      assert.throws(() => rig.socket(rig.wire.b, { umem }), /make the umem with shared: true/);
    },
  },
};

/** Takes a chunk to send from. */
function takeHere(socket: XdpSocket): Burst {
  const burst = new Burst(1);
  assert.equal(socket.alloc(burst, 1), 1);
  return burst;
}

/** Receives a frame and keeps it. */
function receiveHere(socket: XdpSocket): Burst {
  const burst = new Burst(1);
  until(
    () => socket.rx(burst) === 1,
    () => 'a frame',
  );
  return burst;
}

/** Names the same chunk in another burst, as a program does that has lost track. */
function copyOver(from: Burst, to: Burst): void {
  to.addr[0] = from.addr[0]!;
  to.len[0] = from.len[0]!;
  to.region[0] = 0;
  to.flags[0] = 0;
  to.count = 1;
}
