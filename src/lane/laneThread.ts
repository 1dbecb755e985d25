import { libc } from '../ffi/index.ts';
import {
  isolatedCores,
  NetworkNamespace,
  pinThread,
  type Scheduling,
  SystemError,
  scheduling,
  setRealtime,
} from '../sys/index.ts';
import { PR_SET_TIMERSLACK } from '../sys/uapi/index.ts';
import type { CheckedLaneSpec } from './laneSpec.ts';

/** Where and how a lane's thread runs. */
export interface Placement {
  readonly tid: number;
  /** that the thread is pinned to; undefined when it floats */
  readonly core: number | undefined;
  readonly policy: Scheduling['policy'];
  /** one line for everything weaker than asked, or dangerous as asked */
  readonly reasons: readonly string[];
}

/**
 * Moves the calling thread into the namespace, onto the core and under the scheduling of its spec, in this order.
 *
 * A namespace that cannot be entered is an error always: a lane in the wrong one is no weaker lane. Anything else is
 * told in `reasons`, or refused under `strict`.
 *
 * @throws SystemError
 */
export function placeThread(spec: CheckedLaneSpec): Placement {
  if (spec.netns !== undefined) {
    using namespace = NetworkNamespace.open(spec.netns);
    namespace.enter();
  }
  // Other sleeps than those of real-time threads are stretched by 50 us otherwise.
  // measured: nanosleep of 1 us takes 25 us with this, 90 us without.
  libc.prctl(PR_SET_TIMERSLACK, 1);
  const reasons: string[] = [];
  const core = pin(spec, reasons);
  const policy = schedule(spec, core, reasons);
  return { tid: libc.gettid(), core, policy, reasons };
}

function pin({ core, strict }: CheckedLaneSpec, reasons: string[]): number | undefined {
  if (core === undefined) return undefined;
  try {
    pinThread(core);
    return core;
  } catch (error) {
    if (strict || !(error instanceof SystemError)) throw error;
    reasons.push(error.message);
    return undefined;
  }
}

function schedule(
  { name, realtime, strict, idle }: CheckedLaneSpec,
  core: number | undefined,
  reasons: string[],
): Scheduling['policy'] {
  if (realtime === undefined) return scheduling().policy;
  const sleepless = idle === 'busySpin' || idle === 'yield';
  if (sleepless && (core === undefined || !isolatedCores().includes(core))) {
    const where = core === undefined ? 'cores that are' : `core ${core}, which is`;
    const danger = `a real-time lane with ${idle} on ${where} not isolated is stopped by the kernel for 50 ms in every second`;
    if (strict) throw new Error(`Cannot start lane ${name} as asked: ${danger}`);
    reasons.push(danger);
  }
  const { policy, reason } = setRealtime(realtime, strict);
  if (reason !== undefined) reasons.push(reason);
  return policy;
}
