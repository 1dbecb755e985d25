import assert from 'node:assert/strict';
import { ChunkOwner } from '../../src/core/index.ts';
import { XdpPort } from '../../src/port/index.ts';
import { setLink, withNetns } from '../../src/sys/index.ts';
import type { XdpInterfaceSpec } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { type PortPair, portContract } from '../support/portContract.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth, type VethEnd } from '../support/vethPair.ts';

const oneChunk = 'opened without multiBuffer: a frame is one chunk';

for (const attach of ['native', 'generic'] as const) {
  for (const queues of [1, 2]) {
    portContract({
      name: `xdp: ${attach} mode, ${queues} ${queues === 1 ? 'queue' : 'queues'}`,
      available: requireRoot,
      skip: { 'a frame over several chunks arrives whole': oneChunk },
      open: () => openPair({ attach }, queues),
    });
  }
  portContract({
    name: `xdp: ${attach} mode, frames over several chunks`,
    available: requireRoot,
    open: () => openPair({ attach, multiBuffer: true }, 1, 9000),
  });
}

portContract({
  name: 'xdp: unaligned chunks of 3,333 bytes, headroom 33',
  available: requireRoot,
  skip: { 'a frame over several chunks arrives whole': oneChunk },
  open: () => openPair({ unaligned: true, chunkLen: 3333, headroom: 33 }, 1),
});

function openPair(spec: Partial<XdpInterfaceSpec>, queues: number, mtu?: number): PortPair {
  const veth = testVeth({ queues });
  const open = (end: VethEnd): XdpPort =>
    withNetns(end.namespace, () => {
      if (mtu !== undefined) setLink(end.name, { mtu });
      return new XdpPort({
        interface: end.name,
        flows: [{ port: TEST_UDP_PORT }],
        mode: 'copy',
        rxSize: 256,
        txSize: 256,
        debug: true,
        ...spec,
      });
    });
  const a = open(veth.a);
  const b = open(veth.b);
  return {
    a,
    b,
    assertAllReturned: () => {
      for (const { umem } of [...a.interface.sockets, ...b.interface.sockets]) {
        const { ledger, count } = umem.pool;
        ledger!.assertNone(ChunkOwner.application);
        const owners = ledger!.audit();
        assert.equal(owners.free + owners.fill + owners.tx + owners.completion, count);
      }
    },
    close: () => {
      a.close();
      b.close();
      veth[Symbol.dispose]();
    },
  };
}
