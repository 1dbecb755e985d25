import assert from 'node:assert/strict';
import { ChunkOwner } from '../../src/core/index.ts';
import { XdpPort } from '../../src/port/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { type PortPair, portContract } from '../support/portContract.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth, type VethEnd } from '../support/vethPair.ts';

const notYet = 'AF_XDP multi-buffer (XDP_USE_SG) is not built yet: a frame is one chunk';

for (const attach of ['native', 'generic'] as const) {
  for (const queues of [1, 2]) {
    portContract({
      name: `xdp: ${attach} mode, ${queues} ${queues === 1 ? 'queue' : 'queues'}`,
      available: requireRoot,
      skip: { 'a frame over several chunks arrives whole': notYet },
      open: () => openPair(attach, queues),
    });
  }
}

function openPair(attach: 'native' | 'generic', queues: number): PortPair {
  const veth = testVeth({ queues });
  const open = (end: VethEnd): XdpPort =>
    withNetns(
      end.namespace,
      () =>
        new XdpPort({
          interface: end.name,
          flows: [{ port: TEST_UDP_PORT }],
          attach,
          rxSize: 256,
          txSize: 256,
          debug: true,
        }),
    );
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
