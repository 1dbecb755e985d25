import type { AllocationCase } from '../../tools/allocationCase.ts';
import type { Pollable } from '../core/index.ts';
import { BusySpin } from './idle.ts';
import { createLanePage } from './laneCounters.ts';
import { pollLoop } from './pollLoop.ts';
import { StopFlag } from './stopFlag.ts';

/** Passes between two stops, so that the loop is entered as often as the gate asks. */
const PASSES = 64;

const shared = new Int32Array(new SharedArrayBuffer(StopFlag.SIZE));
const stop = new StopFlag(shared.buffer);
let left = 0;

/** Does `work` in every pass, and stops the loop after {@link PASSES}. */
function counting(work: number): Pollable {
  const poll = (): number => {
    left--;
    if (left === 0) stop.request();
    return work;
  };
  return { poll, fds: [], arm: () => false };
}

function passes(work: number): (count: number) => void {
  const { values } = createLanePage('allocation');
  const pollables = [counting(work), counting(0)];
  const spec = { pollables, budget: 64, idle: new BusySpin(), stop, counters: values };
  return (count) => {
    for (let done = 0; done < count; done += PASSES) {
      left = pollables.length * PASSES;
      Atomics.store(shared, 0, 0);
      stop.requested = false;
      pollLoop(spec);
      if (left !== 0) throw new Error(`the loop ended ${left} polls early`);
    }
  };
}

const loop = ['pollLoop', 'pollRound', 'StopFlag.check'];

const cases: AllocationCase[] = [
  { name: 'passes without work', covers: [...loop, 'BusySpin.wait'], run: passes(0) },
  { name: 'passes with work', covers: [...loop, 'BusySpin.reset'], run: passes(64) },
];

export default cases;
