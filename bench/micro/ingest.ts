import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import type { BenchCase } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import type { IngestTask } from './ingestLoops.ts';

/** An order goes from a frame in memory into a queue and out again, on one thread. */
export const ingest: BenchCase = {
  name: 'ingest',
  about:
    'check with both checksums, decode and queue of 4,096 different frames with a 25-byte order, in bursts of 64',
  kind: 'micro',
  async run(context) {
    await using isolate = new Isolate<IngestTask, number>(siblingUrl(import.meta.url, './ingestLoops'));
    const figures = {
      all: { figure: 'packet', unit: 'ns', ours: [] as number[], target: TARGET },
      check: { figure: 'check alone', unit: 'ns', ours: [] as number[] },
      decode: { figure: 'decode alone', unit: 'ns', ours: [] as number[] },
      queue: { figure: 'queue alone', unit: 'ns', ours: [] as number[] },
    };
    const steps = Object.keys(figures) as (keyof typeof figures)[];
    // Many short rounds: a virtual core changes its speed within tenths of a second, and the calibration has to notice.
    const seconds = context.seconds(0.05);
    for (const step of steps) await isolate.ask({ step, seconds: WARM_UP });
    for await (const _ of context.rounds(21)) {
      for (const step of steps) figures[step].ours.push(await isolate.ask({ step, seconds }));
    }
    return Object.values(figures);
  },
};

/** What every loop needs for the optimising compiler to be done [s]. */
const WARM_UP = 0.2;
const TARGET = { op: '<=', value: 45, scaled: true } as const;
