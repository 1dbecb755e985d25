import assert from 'node:assert/strict';
import { Burst } from '../../src/core/index.ts';
import type { XdpSocket } from '../../src/xdp/index.ts';
import { append, frameOf, NumberedFlow, receive, sendAll, tagOf } from './xdpCasesFlow.ts';
import { RING, until, type XdpCases } from './xdpCasesRig.ts';

/** Sockets that are closed in the middle of everything, and opened again. */
export const teardownCases: XdpCases = {
  'a umem outlives its sockets: every chunk is back when one closes, wherever it was': {
    run(rig) {
      const far = rig.openSocket(rig.wire.a);
      const umem = rig.umem({ shared: true, chunkCount: 4 * RING });
      for (let round = 0; round < 20; round++) {
        const opened = rig.open(rig.wire.b, { umem });
        const socket = opened.sockets[0]!;
        sendAll(
          far,
          Array.from({ length: 32 }, (_, tag) => frameOf(rig, 'a', tag)),
        );
        // Half stays on the rx ring; ours stay on the tx ring, unflushed in every other round.
        receiveSome(socket, round % 2 === 0 ? 16 : 32);
        const burst = new Burst(16);
        for (let tag = 0; tag < 16; tag++) append(socket, burst, frameOf(rig, 'b', tag));
        assert.equal(socket.tx(burst), 16);
        if (round % 2 === 0) {
          socket.flush();
          receive(far, 16);
        }
        opened.close();
        assert.equal(umem.pool.free, umem.chunkCount, `round ${round}`);
        assert.equal(umem.pool.ledger!.audit().free, umem.chunkCount);
        assert.equal(umem.txReserve, 0);
      }
    },
  },

  'a umem shared by two interfaces has the chunks of one back when that closes, and the other goes on': {
    run(rig) {
      const umem = rig.umem({ shared: true, chunkCount: 8 * RING });
      const a = rig.open(rig.wire.a, { umem });
      for (let round = 0; round < 10; round++) {
        const b = rig.open(rig.wire.b, { umem });
        new NumberedFlow(rig, {
          from: 'a',
          sender: a.sockets[0]!,
          receivers: [b.sockets[0]!],
          total: 64,
        }).run();
        rig.assertAllReturned();
        const { fill: before } = umem.pool.ledger!.audit();
        b.close();
        const { fill, free } = umem.pool.ledger!.audit();
        assert.ok(fill < before && fill > 0, `${before} chunks lent, then ${fill}`);
        assert.equal(fill + free, umem.chunkCount);
      }
    },
  },

  'an interface is opened and closed 30 times, and works each time': {
    run(rig) {
      const far = rig.openSocket(rig.wire.a);
      for (let round = 0; round < 30; round++) {
        using opened = rig.open(rig.wire.b);
        const socket = opened.sockets[0]!;
        sendAll(far, [frameOf(rig, 'a', round)]);
        assert.equal(tagOf(receive(socket, 1)[0]!.bytes), round);
        sendAll(socket, [frameOf(rig, 'b', round)]);
        assert.equal(tagOf(receive(far, 1)[0]!.bytes), round);
        rig.assertAllReturned();
      }
    },
  },
};

/** Takes `count` frames off the rx ring, recycles them, and leaves the others there. */
function receiveSome(socket: XdpSocket, count: number): void {
  const burst = new Burst(count);
  let received = 0;
  until(
    () => {
      burst.count = 0;
      received += socket.rx(burst);
      socket.recycle(burst);
      return received >= count;
    },
    () => `${count} frames, ${received} came`,
  );
}
