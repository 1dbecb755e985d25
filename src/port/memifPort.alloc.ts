import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { MemifPort } from './memifPort.ts';

const BURST = 64;
/** Long frames, so that the counters of bytes pass 2^31. */
const FRAME_LEN = 1514;

const path = `@barewire-alloc-${process.pid}`;
const server = new MemifPort({ path, role: 'server' });
const client = new MemifPort({ path });
const burst = new Burst(BURST);
const received = new Burst(BURST);

while (!(server.interface.connected && client.interface.connected)) {
  server.rx(received);
  client.rx(received);
}

/** Sends a burst, most of it from the frames that were just received, and receives it. */
function pass(from: MemifPort, to: MemifPort): number {
  const taken = from.alloc(burst, BURST - burst.count);
  for (let i = burst.count - taken; i < burst.count; i++) burst.len[i] = FRAME_LEN;
  burst.dropPrefix(from.tx(burst));
  from.flush();
  from.recycle(burst);
  const count = to.rx(received);
  to.recycle(received);
  return count;
}

const cases: AllocationCase[] = [
  {
    name: 'bursts from server to client and back, between two sides that poll',
    covers: [
      'MemifPort.rx',
      'MemifPort.alloc',
      'MemifPort.tx',
      'MemifPort.flush',
      'MemifPort.recycle',
      'memif/MemifInterface.rx',
      'memif/MemifInterface.alloc',
      'memif/MemifInterface.tx',
      'memif/MemifInterface.flush',
      'memif/MemifInterface.recycle',
      'memif/ClientQueue.lacking',
    ],
    run(count: number): void {
      for (let passed = 0; passed < count; ) {
        const frames = pass(server, client) + pass(client, server);
        if (frames === 0) throw new Error('no frame passed');
        passed += frames;
      }
    },
  },
];
export default cases;
