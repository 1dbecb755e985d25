/**
 * lane (L4): one thread, pinned to one core, that drives its pollables and shares nothing.
 *
 * Job: start such a thread, poll on it without losing a wake-up, pass the time when there is no work, stop it within
 * 100 ms, and bring its result or its error to the owner, exactly once.
 *
 * Data: a {@link LaneSpec} goes over as a structured clone; a module's export builds the program inside the thread.
 * After that owner and lane share a stop flag, an eventfd and a counters page, and no message passes while the loop
 * runs: the event loop of a spinning thread does not turn.
 *
 * Invariants
 * - A pass polls every pollable once, with the same budget. The order is fixed.
 * - No sleep is longer than 50 ms; {@link Block} sleeps only after every pollable was armed.
 * - {@link Lane.done} settles when the thread is gone, not before: what the program held is free by then.
 * - Weaker than asked is told in {@link LaneReport.reasons}, or refused under `strict`.
 *
 * If the owner is killed its lanes die with it, since they are its threads.
 *
 * The plain loops `rxdrop`, `txonly`, `l2fwd` and `echo`, to drive over any port, and what runs and samples them on a lane,
 * are in `loops/`.
 *
 * Not here: what else to poll (`port/`, `net/`, `order/`), queues between lanes (`core/`), pinning itself (`sys/`).
 *
 * References: Agrona's idle strategies; poll(2), sched_yield(2), nanosleep(2), eventfd(2).
 */
export { Block } from './block.ts';
export { Backoff, BusySpin, Idled, type IdleStrategy, MAX_SLEEP_MS, Yield } from './idle.ts';
export { Lane } from './lane.ts';
export { LaneCounter, type LaneStatistics } from './laneCounters.ts';
export type { IdleName, LaneContext, LaneFactory, LaneProgram, LaneReport, LaneSpec } from './laneSpec.ts';
export {
  COPY_DROPS,
  CopyDrop,
  copyFrames,
  L2Forward,
  type L2ForwardSpec,
  type LoopOutput,
  type LoopPortReport,
  type LoopReading,
  type LoopReport,
  LoopReporter,
  type LoopSample,
  type LoopSpec,
  type LoopStart,
  type LoopVerb,
  loopVerbs,
  type PortLoop,
  type PortLoopSpec,
  type RunningLoop,
  RxDrop,
  runLoop,
  type SampleLoopOptions,
  sampleLoop,
  sendOrDrop,
  sweepBursts,
  TxOnly,
  UdpEcho,
} from './loops/index.ts';
export { type PollLoopSpec, pollLoop } from './pollLoop.ts';
export { siblingUrl } from './siblingUrl.ts';
export { StopFlag } from './stopFlag.ts';
