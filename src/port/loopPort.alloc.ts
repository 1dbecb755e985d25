import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import { LoopPort } from './loopPort.ts';

const BURST = 64;
/** Long frames, so that the counters of bytes pass 2^31. */
const FRAME_LEN = 1514;

const [near, far] = LoopPort.pair({ ringSize: BURST });
const burst = new Burst(BURST);
const received = new Burst(BURST);

const cases: AllocationCase[] = [
  {
    name: 'frames there, to an end that lags behind; a chain among them',
    covers: [
      'LoopPort.alloc',
      'LoopPort.tx',
      'LoopPort.flush',
      'LoopPort.rx',
      'LoopPort.recycle',
      'core/ChunkPool.allocInto',
    ],
    run(count: number): void {
      let arrived = 0;
      while (arrived < count) {
        const n = near.alloc(burst, BURST - burst.count);
        for (let i = burst.count - n; i < burst.count; i++) burst.len[i] = FRAME_LEN;
        burst.flags[0] = FrameFlags.continues;
        burst.dropPrefix(near.tx(burst));
        near.flush();
        // The ring is full: what comes now is refused.
        near.alloc(burst, BURST / 2);
        burst.dropPrefix(near.tx(burst));
        arrived += far.rx(received);
        far.recycle(received);
        near.recycle(burst);
      }
    },
  },
];
export default cases;
