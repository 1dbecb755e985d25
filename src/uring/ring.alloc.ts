import type { AllocationCase } from '../../tools/allocationCase.ts';
import { IORING_OP_NOP } from '../sys/uapi/index.ts';
import { Uring } from './ring.ts';

const BURST = 64;
const USER_DATA = 8;
const ring = new Uring({ entries: BURST });

const cases: AllocationCase[] = [
  {
    name: 'bursts of 64 operations that do nothing, submitted and waited for',
    covers: [
      'Uring.next',
      'Uring.submit',
      'Uring.submitAndWait',
      'Uring.unsubmitted',
      'Uring.peek',
      'Uring.slot',
      'Uring.release',
    ],
    framesPerOperation: BURST,
    run(count: number): void {
      for (let operation = 0; operation < count; operation++) {
        for (let i = 0; i < BURST; i++) {
          const at = ring.next();
          ring.sqes[at] = IORING_OP_NOP;
          ring.sqes[at + USER_DATA] = i;
        }
        if (ring.unsubmitted !== BURST) throw new Error('entries are missing');
        ring.submit();
        if (ring.submitAndWait(BURST, 1e9) !== BURST) throw new Error('completions are missing');
        for (let i = 0; i < BURST; i++) {
          if (ring.cqes[ring.slot(i)] !== i) throw new Error('completions are out of order');
        }
        ring.release(ring.peek());
      }
    },
  },
];
export default cases;
