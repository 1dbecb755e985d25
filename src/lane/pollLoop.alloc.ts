import type { AllocationCase } from '../../tools/allocationCase.ts';
import type { Pollable } from '../core/index.ts';
import { BusySpin } from './idle.ts';
import { createLanePage } from './laneCounters.ts';
import { pollLoop } from './pollLoop.ts';
import { StopFlag } from './stopFlag.ts';

let left = 0;
let flag: StopFlag;

/** Does `work` in every pass, and stops the loop when `left` passes are done. */
function counting(work: number): Pollable {
  const poll = (): number => {
    if (--left === 0) flag.request();
    return work;
  };
  return { poll, fds: [], arm: () => false };
}

function passes(pollables: readonly Pollable[]): (count: number) => void {
  const { values } = createLanePage('allocation');
  return (count) => {
    left = count;
    flag = new StopFlag(new SharedArrayBuffer(StopFlag.SIZE));
    pollLoop({ pollables, budget: 64, idle: new BusySpin(), stop: flag, counters: values });
  };
}

const covers = ['pollLoop', 'pollRound', 'BusySpin.wait', 'BusySpin.reset', 'StopFlag.check'];

const cases: AllocationCase[] = [
  { name: 'passes without work', covers, run: passes([counting(0)]) },
  { name: 'passes with work', covers, run: passes([counting(64)]) },
];

export default cases;
