import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { nowNs } from '../../sys/index.ts';
import { Lane } from '../lane.ts';
import { siblingUrl } from '../siblingUrl.ts';
import type { LoopLaneData } from './loopLane.ts';
import type { LoopReading, LoopReport } from './loopReading.ts';
import { checkLoopSpec, type LoopSpec } from './loopSpec.ts';

/** A loop that runs on a lane of its own. */
export interface RunningLoop extends AsyncDisposable {
  readonly report: LoopReport;
  /**
   * Resolves with the first reading made after a moment; never once the loop has ended.
   *
   * @param afterNs - now unless told [monotonic ns]
   * @throws what ended the lane, should an error have
   */
  next(afterNs?: number): Promise<LoopReading>;
  /** resolves when the lane is gone: after {@link RunningLoop.stop}, or as its ports are at their end */
  readonly ended: Promise<void>;
  /** Stops it. @returns what it counted in all @throws what ended the lane, should an error have */
  stop(): Promise<LoopReading>;
}

/**
 * Starts a plain loop on a lane of its own and resolves once it runs.
 *
 * @throws TypeError or RangeError for a spec that makes no sense
 * @throws what opening the ports throws
 */
export async function runLoop(spec: LoopSpec): Promise<RunningLoop> {
  checkLoopSpec(spec);
  const { verb, core, netns, strict = false } = spec;
  const { port1: readings, port2 } = new MessageChannel();
  const starting = Lane.start({
    module: siblingUrl(import.meta.url, './loopLane'),
    name: verb,
    data: { spec, readings: port2 } satisfies LoopLaneData,
    transfer: [port2],
    strict,
    idle: spec.idle ?? (core === undefined ? 'backoff' : 'busySpin'),
    ...(core === undefined ? {} : { core }),
    ...(netns === undefined ? {} : { netns }),
  });
  const lane = await starting.catch((error: unknown) => {
    readings.close();
    throw error;
  });
  const ended = lane.done.then(() => {});
  const failed = ended.then(() => new Promise<never>(() => {}));
  // Whoever waits for a reading or stops the loop hears of an error.
  failed.catch(() => {});
  const end = async (): Promise<void> => {
    await lane.stop();
    readings.close();
  };
  const report = lane.programReport as LoopReport;
  return {
    report: { ...report, reasons: [...report.reasons, ...lane.report.reasons] },
    ended,
    next: (afterNs = nowNs()) => Promise.race([nextReading(readings, afterNs), failed]),
    stop: async () => {
      await end();
      return (await lane.done) as LoopReading;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Older readings may still be on their way. */
function nextReading(readings: MessagePort, afterNs: number): Promise<LoopReading> {
  const { promise, resolve } = Promise.withResolvers<LoopReading>();
  const hear = (reading: LoopReading): void => {
    if (reading.atNs <= afterNs) return;
    readings.off('message', hear);
    resolve(reading);
  };
  readings.on('message', hear);
  return promise;
}
