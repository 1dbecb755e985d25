import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Lane, siblingUrl } from '../../src/lane/index.ts';
import type { PortReport } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import type { LoopLaneData, LoopReading } from './loopLane.ts';

/** What loop to run, and where. */
export interface LoopSpec extends Omit<LoopLaneData, 'readings'> {
  /** core to pin the lane to; none when undefined */
  readonly core: number | undefined;
  /** network namespace of the interface; the process's own when undefined */
  readonly netns: string | undefined;
}

/** A loop that runs on a lane of its own. */
export interface RunningLoop extends AsyncDisposable {
  readonly report: PortReport;
  /**
   * Resolves with the first reading made after a moment.
   *
   * @param afterNs - now unless told [monotonic ns]
   * @throws what ended the lane, should it end by itself
   */
  next(afterNs?: number): Promise<LoopReading>;
  /** Stops it. @returns what it counted in all */
  stop(): Promise<LoopReading>;
}

/** Starts a loop and resolves once it runs. @throws what opening the port throws */
export async function runLoop(spec: LoopSpec): Promise<RunningLoop> {
  const { core, netns, ...data } = spec;
  const { port1: readings, port2 } = new MessageChannel();
  const starting = Lane.start({
    module: siblingUrl(import.meta.url, './loopLane'),
    name: data.verb,
    data: { ...data, readings: port2 } satisfies LoopLaneData,
    transfer: [port2],
    strict: false,
    idle: 'busySpin',
    ...(core === undefined ? {} : { core }),
    ...(netns === undefined ? {} : { netns }),
  });
  const lane = await starting.catch((error: unknown) => {
    readings.close();
    throw error;
  });
  const failed = lane.done.then(() => new Promise<never>(() => {}));
  // Whoever waits for a reading or stops the loop hears of an error.
  failed.catch(() => {});
  const end = async (): Promise<void> => {
    await lane.stop();
    readings.close();
  };
  return {
    report: lane.programReport as PortReport,
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
