import type { Pollable } from '../core/index.ts';
import { Idled, type IdleStrategy } from './idle.ts';
import { LaneCounter } from './laneCounters.ts';
import type { StopFlag } from './stopFlag.ts';

/** What {@link pollLoop} drives, and by which rules. */
export interface PollLoopSpec {
  /** visited in this order in every pass */
  readonly pollables: readonly Pollable[];
  /** most work of one pollable in one pass [its own unit] */
  readonly budget: number;
  readonly idle: IdleStrategy;
  readonly stop: StopFlag;
  /** written at the indexes of {@link LaneCounter} */
  readonly counters: Float64Array;
}

/**
 * Passes between two looks at the shared stop flag, which cost 12 to 25 ns each.
 *
 * Passes shorter than 6 ms keep the promise to stop within 100 ms.
 */
const PASSES_PER_ROUND = 16;

/**
 * Polls all pollables in turn until the lane is asked to stop; the heart of every lane.
 *
 * A request from this thread ends it after the pass in hand, one of another thread after the round in hand: at most
 * 16 passes, or one sleep. What a pollable throws goes to the caller. The counters of passes are up to date after
 * each round, the others at once.
 *
 * measured: 7 ns a pass with one empty pollable and busySpin,
 * 1 to 3 ns for each further one (the loop of pollLoop.alloc.ts, timed).
 *
 * @hot
 */
export function pollLoop(spec: PollLoopSpec): void {
  while (!spec.stop.check()) pollRound(spec);
}

/**
 * Makes up to {@link PASSES_PER_ROUND} passes; the first sleep is the last pass.
 *
 * A function of its own, and not the body of a loop without end: such a loop is only ever replaced on the stack, by
 * code compiled from what its first passes looked like.
 *
 * measured: 7 ns a pass, 8 to 20 as one function.
 *
 * @hot
 */
function pollRound(spec: PollLoopSpec): void {
  const pollables = spec.pollables;
  const count = pollables.length;
  const budget = spec.budget;
  const idle = spec.idle;
  const stop = spec.stop;
  const counters = spec.counters;
  // Counted in registers: adding to memory takes as long as an empty pass.
  let passes = 0;
  let idlePasses = 0;
  while (passes < PASSES_PER_ROUND && !stop.requested) {
    passes++;
    let work = 0;
    for (let i = 0; i < count; i++) work += pollables[i]!.poll(budget);
    if (work > 0) {
      counters[LaneCounter.work]! += work;
      idle.reset();
      continue;
    }
    idlePasses++;
    const idled = idle.wait();
    if (idled === Idled.spun) continue;
    counters[LaneCounter.sleeps]! += 1;
    if (idled === Idled.woken) counters[LaneCounter.wakeups]! += 1;
    break;
  }
  counters[LaneCounter.passes]! += passes;
  counters[LaneCounter.idlePasses]! += idlePasses;
}
