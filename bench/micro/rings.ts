import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import type { BenchCase, Measurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import type { RingsTask } from './ringsLoops.ts';

/** What every loop needs for the optimising compiler to be done [s]. */
const WARM_UP = 0.2;
const BURST = 64;

/** What our side of AF_XDP costs: the plain loops over an AF_XDP socket's rings in plain memory, without the kernel. */
export const rings: BenchCase = {
  name: 'rings',
  about: 'what TypeScript adds to a packet: plain loops over AF_XDP rings in plain memory, bursts of 64',
  kind: 'micro',
  async run(context) {
    const module = siblingUrl(import.meta.url, './ringsLoops');
    const figures = {
      rxdrop: {
        figure: 'rxdrop',
        unit: 'ns',
        ours: [] as number[],
        target: { op: '<=', value: 12, scaled: true },
      },
      l2fwd: {
        figure: 'l2fwd',
        unit: 'ns',
        ours: [] as number[],
        target: { op: '<=', value: 20, scaled: true },
      },
      txonly: { figure: 'txonly', unit: 'ns', ours: [] as number[] },
    } satisfies Record<RingsTask['loop'], Measurement>;
    const loops = Object.keys(figures) as RingsTask['loop'][];
    // An isolate each: in a program that only forwards, the compiler has seen nothing but forwarding.
    await using rxdrop = new Isolate<RingsTask, number>(module);
    await using l2fwd = new Isolate<RingsTask, number>(module);
    await using txonly = new Isolate<RingsTask, number>(module);
    const isolates = { rxdrop, l2fwd, txonly };
    const seconds = context.seconds(0.05);
    for (const loop of loops) await isolates[loop].ask({ loop, burst: BURST, seconds: WARM_UP });
    for await (const _ of context.rounds(21)) {
      for (const loop of loops) {
        figures[loop].ours.push(await isolates[loop].ask({ loop, burst: BURST, seconds }));
      }
    }
    return Object.values(figures);
  },
};
