import assert from 'node:assert/strict';
import { ChunkOwner } from '../../src/core/index.ts';
import type { PacketSocketSpec } from '../../src/packet/index.ts';
import { PacketPort } from '../../src/port/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import { type PortPair, portContract } from '../support/portContract.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth, type VethEnd } from '../support/vethPair.ts';

const FLOWS = [{ version: 4, port: 9000, address: undefined }] as const;

const variants: Readonly<Record<string, Partial<PacketSocketSpec>>> = {
  'default sizes': {},
  'small rings past the qdisc': { rxSize: 64, txSize: 64, qdiscBypass: true },
  'slots for frames of 64 KiB, headroom 128': { rxSize: 64, txSize: 64, frameLen: 1 << 17, headroom: 128 },
};

for (const [name, spec] of Object.entries(variants)) {
  portContract({
    name: `packet: ${name}`,
    available: requireRoot,
    skip: {
      'a frame over several chunks arrives whole':
        'AF_PACKET receives every frame in one slot; packetTraffic.test.ts sends one of several pieces',
    },
    open: () => openPair(spec),
  });
}

function openPair(spec: Partial<PacketSocketSpec>): PortPair {
  const veth = testVeth();
  const open = (end: VethEnd): PacketPort =>
    withNetns(
      end.namespace,
      () => new PacketPort({ interface: end.name, flows: FLOWS, debug: true, ...spec }),
    );
  const a = open(veth.a);
  const b = open(veth.b);
  return {
    a,
    b,
    assertAllReturned: () => {
      for (const { socket } of [a, b]) {
        for (const ledger of [socket.pool.ledger!, socket.rxLedger!])
          ledger.assertNone(ChunkOwner.application);
        assert.equal(socket.pool.ledger!.audit().free, socket.layout.txSize);
        assert.equal(socket.rxLedger!.audit().fill, socket.layout.rxSize);
      }
    },
    close: () => {
      a.close();
      b.close();
      veth[Symbol.dispose]();
    },
  };
}
