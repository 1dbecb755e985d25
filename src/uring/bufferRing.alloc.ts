import type { AllocationCase } from '../../tools/allocationCase.ts';
import { IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_BUFFER } from '../sys/uapi/index.ts';
import { BufferRing, Uring } from './index.ts';

const BURST = 64;
const ring = new Uring({ entries: 4 });
const buffers = new BufferRing(ring, { count: BURST, bufferLen: 2048 });

const cases: AllocationCase[] = [
  {
    name: 'bursts of 64 buffers, taken as completions name them, and given back',
    covers: ['BufferRing.take', 'BufferRing.offsetOf', 'BufferRing.recycle', 'BufferRing.publish'],
    run(count: number): void {
      for (let done = 0; done < count; done += BURST) {
        for (let id = 0; id < BURST; id++) {
          const taken = buffers.take(IORING_CQE_F_BUFFER | (id << IORING_CQE_BUFFER_SHIFT));
          if (taken !== id || buffers.offsetOf(taken) !== id * 2048) throw new Error('not the buffer wanted');
        }
        for (let id = 0; id < BURST; id++) buffers.recycle(id);
        buffers.publish();
      }
    },
  },
];
export default cases;
