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
  /** Resolves with the first reading made from now on. @throws what ended the lane, should it end by itself */
  next(): Promise<LoopReading>;
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
    next: () => Promise.race([nextReading(readings), failed]),
    stop: async () => {
      await end();
      return (await lane.done) as LoopReading;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Resolves with the first reading made after the call; older ones may still be on their way. */
function nextReading(readings: MessagePort): Promise<LoopReading> {
  const sinceNs = nowNs();
  const { promise, resolve } = Promise.withResolvers<LoopReading>();
  const hear = (reading: LoopReading): void => {
    if (reading.atNs < sinceNs) return;
    readings.off('message', hear);
    resolve(reading);
  };
  readings.on('message', hear);
  return promise;
}
