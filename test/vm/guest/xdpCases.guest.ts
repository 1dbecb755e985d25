import { writeFileSync } from 'node:fs';
import { setLink, withNetns } from '../../../src/sys/index.ts';
import type { TestVeth } from '../../support/vethPair.ts';
import { type WireOptions, xdpCases } from '../../support/xdpCases.ts';
import { awaitCarrier, testWire } from './testWire.ts';
import { CHUNK_LEN } from './zerocopyPair.ts';

const model = process.env.BAREWIRE_VM_MODEL;

// For two umems at either end, of which one may be closing still.
writeFileSync('/proc/sys/vm/nr_hugepages', '8');

const noFragments = 'the driver has no zero-copy for fragments';
const oneQueue = "QEMU's wire has one nicQueue at each end";

xdpCases({
  name: `${model}, zero-copy`,
  mode: 'zerocopy',
  attach: 'native',
  // QEMU's virtio-net swaps adjacent frames now and then.
  strictOrder: model !== 'virtio',
  chunks: { chunkLen: CHUNK_LEN },
  unalignedOnHugePages: true,
  skip: {
    'the nicQueues of an interface share a umem': oneQueue,
    'a group spreads the nicQueues of an interface over users that know of no other': oneQueue,
    'one wake-up of copy mode sends what the tx budget says': 'this is not copy mode',
    'frames of 60 to 9,000 bytes over several chunks arrive whole': noFragments,
    'frames over several chunks with an invalid piece, or too many: none arrives, and those between them do':
      noFragments,
    'rxDropped counts each frame that is too long for a chunk, and the others arrive':
      'the driver refuses to bind chunks that are shorter than the longest frame',
    'rxRingFull counts each frame that found the rx ring full':
      'the driver takes chunks for frames to come, and counts an empty fill ring then',
    'rxFillRingEmpty counts each frame that found no chunk, and what comes after a refill arrives':
      'frames without a chunk wait in the device, and none is lost',
    'addrs on the fill ring that are in no chunk are stepped over':
      'the driver, once out of chunks, looks at the fill ring again when a frame arrives, and none can',
  },
  open,
});

function open({ mtu = 1500 }: WireOptions): TestVeth {
  const wire = testWire();
  for (const { namespace, name } of [wire.a, wire.b]) withNetns(namespace, () => setLink(name, { mtu }));
  awaitCarrier(wire);
  return wire;
}
