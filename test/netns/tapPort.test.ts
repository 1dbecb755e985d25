import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { ChunkOwner } from '../../src/core/index.ts';
import { TapPort, XdpPort } from '../../src/port/index.ts';
import { NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import { TEST_UDP_PORT } from '../support/frames.ts';
import { type PortPair, portContract } from '../support/portContract.ts';
import { requireRoot } from '../support/requirements.ts';

// A tap is wired to the kernel, and AF_XDP takes what the kernel receives there: so they are wired to each other.

for (const attach of ['native', 'generic'] as const) {
  portContract({
    name: `tap: and xdp: in ${attach} mode on the same interface`,
    available: requireRoot,
    skip: {
      'a frame over several chunks arrives whole':
        'xdp: is opened without multiBuffer; tapTraffic.test.ts has one',
      'tx() takes a prefix, and what it refuses stays with the caller':
        'the kernel takes every frame at once, whether there is room behind it or not; tapPort.test.ts fills a socket',
    },
    open: () => openPair(attach),
  });
}

function openPair(attach: 'native' | 'generic'): PortPair {
  const namespace = NetworkNamespace.create();
  const [a, b] = withNetns(namespace, () => {
    // Else the kernel itself has things to say on an interface that comes up.
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
    const tap = new TapPort({ interface: 'tap0', debug: true });
    const xdp = new XdpPort({
      interface: 'tap0',
      flows: [{ port: TEST_UDP_PORT }],
      mode: 'copy',
      rxSize: 256,
      txSize: 256,
      attach,
      debug: true,
    });
    return [tap, xdp] as const;
  });
  return {
    a,
    b,
    assertAllReturned: () => {
      a.frames.pool.ledger!.assertNone(ChunkOwner.application);
      assert.equal(a.frames.pool.free, a.frames.pool.count);
      for (const { umem } of b.interface.sockets) umem.pool.ledger!.assertNone(ChunkOwner.application);
    },
    close: () => {
      b.close();
      a.close();
      namespace.close();
    },
  };
}
