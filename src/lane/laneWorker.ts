// The module that a lane's thread runs: placed, then the program made, then the loop until it stops.
import { parentPort, workerData } from 'node:worker_threads';
import { CountersPage, type Pollable } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import { Block } from './block.ts';
import { describeError } from './errorTransfer.ts';
import { Backoff, BusySpin, type IdleStrategy, Yield } from './idle.ts';
import type { LaneMessage, LaneOrder } from './laneMessage.ts';
import type { CheckedLaneSpec, LaneContext, LaneFactory, LaneProgram, LaneReport } from './laneSpec.ts';
import { placeThread } from './laneThread.ts';
import { pollLoop } from './pollLoop.ts';
import { StopFlag } from './stopFlag.ts';

try {
  tell({ kind: 'ended', result: await live(workerData as LaneOrder) });
} catch (error) {
  tell({ kind: 'failed', error: describeError(error) });
}
// The event loop did not turn while the lane ran; what the program left in it must not keep the thread alive.
process.exit(0);

async function live({ spec, reasons: known, data, stop, stopFd, counters }: LaneOrder): Promise<unknown> {
  const { tid, core, policy, reasons: own } = placeThread(spec);
  tell({ kind: 'placed', tid, core });
  const createLane = await importFactory(spec);
  const flag = new StopFlag(stop);
  const context: LaneContext = { name: spec.name, core, nowNs, stop: () => flag.request() };
  const program = checkProgram(createLane(context, data as never), spec);
  try {
    const { pollables } = program;
    const idle = createIdle(spec, pollables, stopFd);
    const reasons = [...known, ...own, ...idleReasons(idle)];
    if (spec.strict && reasons.length > 0)
      throw new Error(`Cannot start lane ${spec.name} as asked: ${reasons[0]}`);
    const report = { name: spec.name, tid, core, idle: spec.idle, policy, reasons };
    tell({ kind: 'running', report, programReport: program.report?.() });
    const page = CountersPage.open(counters, 0);
    pollLoop({ pollables, budget: spec.budget, idle, stop: flag, counters: page.values });
  } catch (error) {
    throw closeAfter(error, program);
  }
  program.close?.();
  return program.result?.();
}

function tell(message: LaneMessage): void {
  parentPort!.postMessage(message);
}

async function importFactory(spec: CheckedLaneSpec): Promise<LaneFactory> {
  const exports = (await import(spec.module)) as Record<string, unknown>;
  const factory = exports[spec.export];
  if (typeof factory === 'function') return factory as LaneFactory;
  throw new TypeError(
    `Cannot start lane ${spec.name}: ${spec.module} must export a function ${spec.export}, got ${typeof factory}`,
  );
}

function checkProgram(program: LaneProgram, { name, module, export: factory }: CheckedLaneSpec): LaneProgram {
  if (Array.isArray(program?.pollables) && program.pollables.every(isPollable)) return program;
  const got = program instanceof Promise ? 'a promise' : String(program);
  throw new TypeError(
    `Cannot start lane ${name}: ${factory} of ${module} must return { pollables }, got ${got}`,
  );
}

function isPollable(value: Partial<Pollable> | undefined): boolean {
  return typeof value?.poll === 'function' && typeof value.arm === 'function' && Array.isArray(value.fds);
}

function createIdle({ idle }: CheckedLaneSpec, pollables: readonly Pollable[], stopFd: number): IdleStrategy {
  switch (idle) {
    case 'busySpin':
      return new BusySpin();
    case 'yield':
      return new Yield();
    case 'backoff':
      return new Backoff();
    case 'block':
      return new Block(pollables, stopFd);
  }
}

function idleReasons(idle: IdleStrategy): LaneReport['reasons'] {
  if (!(idle instanceof Block) || !idle.untold) return [];
  return ['block wakes up every millisecond: a pollable of this program has no file descriptor to wait for'];
}

/** Closes the program of a lane that failed; what close() throws on top rides along as `suppressed`. */
function closeAfter(error: unknown, program: LaneProgram): unknown {
  try {
    program.close?.();
  } catch (suppressed) {
    if (error instanceof Error) Object.assign(error, { suppressed });
  }
  return error;
}
