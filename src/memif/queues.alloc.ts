import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import type { ClientQueue } from './clientQueue.ts';
import type { PacketMemory } from './packetMemory.ts';
import { QueueRig } from './queueRig.case.ts';
import type { ServerQueue } from './serverQueue.ts';

const BURST = 32;
/** Long frames, so that the counters of bytes pass 2^31. */
const FRAME_LEN = 1514;

const rig = new QueueRig({ log2Size: 7, chunkLen: 2048, chunkCount: 1024, debug: false });
const burst = new Burst(BURST);
const received = new Burst(BURST, { timestamps: true, hashes: true });

/** Sends a burst from one side, with a chain among its frames every time, and receives it on the other. */
function pass(
  from: ClientQueue | ServerQueue,
  memory: PacketMemory,
  to: ClientQueue | ServerQueue,
  other: PacketMemory,
): number {
  burst.count = memory.pool.takeInto(burst.addr, 0, BURST);
  for (let i = 0; i < burst.count; i++) {
    burst.len[i] = FRAME_LEN;
    burst.flags[i] = 0;
  }
  burst.flags[BURST - 3] = FrameFlags.continues;
  burst.dropPrefix(from.tx(burst));
  memory.pool.putFrom(burst.addr, 0, burst.count);
  if (from.wantsInterrupt()) throw new Error('nobody has armed');
  let count = 0;
  for (let n = to.rx(received); n > 0; n = to.rx(received)) {
    count += n;
    const lent = to === rig.client ? rig.client.lend(received.addr, 0, n) : 0;
    other.pool.putFrom(received.addr, lent, n - lent);
  }
  return count;
}

const cases: AllocationCase[] = [
  {
    name: 'frames from client to server and back; a chain among them',
    covers: [
      'ClientQueue.rx',
      'ClientQueue.tx',
      'ClientQueue.reap',
      'ClientQueue.lend',
      'ClientQueue.show',
      'ClientQueue.wantsInterrupt',
      'ServerQueue.rx',
      'ServerQueue.tx',
      'ServerQueue.wantsInterrupt',
      'MemifRing.loadHead',
      'MemifRing.storeHead',
      'MemifRing.loadTail',
      'MemifRing.storeTail',
      'MemifRing.wantsInterrupt',
      'PacketMemory.check',
      'core/Burst.clearMetadata',
    ],
    run(count: number): void {
      for (let passed = 0; passed < count; ) {
        const there = pass(rig.client, rig.clientMemory, rig.server, rig.serverMemory);
        const back = pass(rig.server, rig.serverMemory, rig.client, rig.clientMemory);
        if (there !== back || there === 0) throw new Error(`${there} descriptors there, ${back} back`);
        passed += there + back;
        rig.client.reap();
      }
    },
  },
];
export default cases;
