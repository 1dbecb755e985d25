import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import type { BenchCase, Measurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import { median } from '../harness/median.ts';
import { type SeamTask, seamLoops } from './seamLoops.ts';

/** What every loop needs for the optimising compiler to be done [s]. */
const WARM_UP = 0.2;

/** What it costs that programs know a Port and not the backend behind it. */
export const seam: BenchCase = {
  name: 'seam',
  about:
    'the same memif bursts of 64 through the Port seam and by calling the backend: what the seam adds to a packet',
  kind: 'micro',
  async run(context) {
    const module = siblingUrl(import.meta.url, './seamLoops');
    const seconds = context.seconds(0.05);
    // An isolate each: the compiler has seen nothing but the one way to call.
    await using port = new Isolate<SeamTask, number>(module);
    await using direct = new Isolate<SeamTask, number>(module);
    const ways = { port, direct };
    const values = seamLoops.map((loop) => ({ loop, added: [] as number[], alone: [] as number[] }));
    for (const loop of seamLoops) {
      for (const way of ['port', 'direct'] as const) await ways[way].ask({ loop, way, seconds: WARM_UP });
    }
    for await (const _ of context.rounds(21)) {
      for (const { loop, added, alone } of values) {
        const over = await port.ask({ loop, way: 'port', seconds });
        const without = await direct.ask({ loop, way: 'direct', seconds });
        added.push(over - without);
        alone.push(without);
      }
    }
    context.note(
      `the backend itself takes ${values.map(({ loop, alone }) => `${median(alone).toFixed(1)} ns (${loop})`).join(', ')} a packet`,
    );
    return values.map(
      ({ loop, added }): Measurement => ({
        figure: `${loop} adds`,
        unit: 'ns',
        ours: added,
        target: { op: '<=', value: 2 },
      }),
    );
  },
};
