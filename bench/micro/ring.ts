import { SpscQueue } from '../../src/core/index.ts';
import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import { allowedCores } from '../../src/sys/index.ts';
import type { BenchCase } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import type { RingEnd, RingTask } from './ringEnds.ts';

/** A record is half a cache line. The queue, 128 KiB, outgrows the first-level cache and fits the second. */
const QUEUE = { recordLen: 32, capacity: 4096 } as const;

/** Records cross from one thread to another; both spin, neither sleeps. */
export const ring: BenchCase = {
  name: 'ring',
  about: 'SPSC queue between two threads: 32-byte records in bursts of 64, and one record there and back',
  kind: 'micro',
  needs: () => (allowedCores().length < 2 ? 'it needs two cores, and may use one' : undefined),
  async run(context) {
    const size = SpscQueue.sizeOf(QUEUE);
    const memory = { buffer: new SharedArrayBuffer(2 * size), there: 0, back: size };
    SpscQueue.create(memory.buffer, memory.there, QUEUE);
    SpscQueue.create(memory.buffer, memory.back, QUEUE);
    const module = siblingUrl(import.meta.url, './ringEnds');
    const [one, two] = allowedCores() as [number, number];
    await using first = new Isolate<RingTask, number>(module, { ...memory, core: one } satisfies RingEnd);
    await using second = new Isolate<RingTask, number>(module, { ...memory, core: two } satisfies RingEnd);

    /** @returns time of a record, one way [ns] */
    const stream = async (seconds: number): Promise<number> => {
      const [ns] = await Promise.all([
        second.ask({ role: 'read', seconds }),
        first.ask({ role: 'write', seconds }),
      ]);
      return ns;
    };
    /** @returns time of a record, there and back [ns] */
    const call = async (seconds: number): Promise<number> => {
      const [ns] = await Promise.all([
        first.ask({ role: 'call', seconds }),
        second.ask({ role: 'answer', seconds }),
      ]);
      return ns;
    };

    const seconds = context.seconds(0.3);
    const millionsPerSecond: number[] = [];
    const roundTripNs: number[] = [];
    await stream(seconds);
    await call(seconds);
    for await (const _ of context.rounds()) {
      millionsPerSecond.push(1e3 / (await stream(seconds)));
      roundTripNs.push(await call(seconds));
    }
    return [
      {
        figure: 'throughput',
        unit: 'M records/s',
        ours: millionsPerSecond,
        target: { op: '>=', value: 30, scaled: true },
      },
      { figure: 'round trip', unit: 'ns', ours: roundTripNs },
    ];
  },
};
