import { setLink, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';
import { type WireOptions, xdpCases } from '../support/xdpCases.ts';

for (const attach of ['native', 'generic'] as const) {
  for (const unaligned of [false, true]) {
    xdpCases({
      name: `veth, ${attach} mode, ${unaligned ? 'unaligned chunks of 4,001 bytes' : 'aligned chunks'}`,
      mode: 'copy',
      attach,
      strictOrder: true,
      chunks: unaligned ? { unaligned, chunkLen: 4001 } : {},
      available: requireRoot,
      open,
    });
  }
}

function open({ queues = 1, mtu }: WireOptions): TestVeth {
  const veth = testVeth({ queues });
  for (const { namespace, name } of [veth.a, veth.b]) {
    if (mtu !== undefined) withNetns(namespace, () => setLink(name, { mtu }));
  }
  return veth;
}
