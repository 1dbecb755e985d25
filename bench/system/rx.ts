import { setTimeout as sleep } from 'node:timers/promises';
import { makeWire } from '../../src/order/demo/makeWire.ts';
import { type ReceiverReading, receiveOrders } from '../../src/order/index.ts';
import { allowedCores } from '../../src/sys/index.ts';
import type { BenchCase } from '../harness/benchCase.ts';
import { needsRoot } from './needsRoot.ts';
import type { InjectorTask } from './rxInjector.ts';
import { INJECTED_VIAS, startInjector } from './startInjector.ts';

const RING = 16_384;
const PACED_RATE = 1e6;
/** Each lane is an isolate of its own, whose code V8 first has to see run: a cold one loses orders for a moment. */
const WARM_UP: InjectorTask = { seconds: 2, rate: 200_000 };
/** What has not been received when nothing has for so long is lost. */
const QUIET_MS = 100;

/** What became of the orders of one measurement. */
interface Outcome {
  /** [M orders/s] */
  readonly offered: number;
  /** [M orders/s] */
  readonly booked: number;
  /** offered and not booked [orders] */
  readonly missing: number;
  /** why, by reason */
  readonly causes: Readonly<Record<string, number>>;
}

/** Orders injected at the far end of a wire, usually by the kernel into a veth pair; received, checked, decoded and booked on one lane. */
export const rx: BenchCase = {
  name: 'rx',
  about:
    'receive, parse and book of injected orders, over veth in native mode unless told otherwise, rings of 16,384',
  kind: 'system',
  vias: INJECTED_VIAS,
  needs: needsRoot,
  async run(context) {
    using wire = makeWire(context.via ?? 'xdp', { rxRing: RING });
    const { receiver } = wire;
    await using injector = startInjector(wire);

    const measure = async (task: InjectorTask): Promise<Outcome> => {
      await using running = await receiveOrders({
        via: receiver.via!,
        udpPort: wire.udpPort,
        ...(receiver.netns === undefined ? {} : { netns: receiver.netns }),
        core: allowedCores().at(-1)!,
        idle: 'busySpin',
        maxOrders: 1 << 20,
      });
      const warm = await injector.ask(WARM_UP);
      const before = await settled(() => running.read());
      const injected = await injector.ask(task);
      const after = await settled(() => running.read());
      const drops = await running.stop();
      const booked = after.received - before.received - (sum(after.rejected) - sum(before.rejected));
      const beforePort = warm.orders + injected.orders - after.received - sum(drops);
      return {
        offered: (injected.orders / injected.ns) * 1e3,
        booked: (booked / injected.ns) * 1e3,
        missing: injected.orders - booked,
        causes: { ...drops, ...after.rejected, beforePort },
      };
    };

    const seconds = context.seconds(2);
    await measure({ seconds: 1, rate: undefined });
    const paced: Outcome[] = [];
    const unpaced: Outcome[] = [];
    for await (const _ of context.rounds(5)) {
      paced.push(await measure({ seconds, rate: PACED_RATE }));
      unpaced.push(await measure({ seconds, rate: undefined }));
    }
    context.note(`rx paced: ${describe(paced)}; unpaced: ${describe(unpaced)}`);
    const share = ({ offered, booked }: Outcome): number => (100 * (offered - booked)) / offered;
    return [
      { figure: 'paced offered', unit: 'M orders/s', ours: paced.map(({ offered }) => offered) },
      { figure: 'paced booked', unit: 'M orders/s', ours: paced.map(({ booked }) => booked) },
      {
        figure: 'paced missing',
        unit: 'orders',
        ours: paced.map(({ missing }) => missing),
        target: { op: '<=', value: 0 },
      },
      { figure: 'unpaced offered', unit: 'M orders/s', ours: unpaced.map(({ offered }) => offered) },
      { figure: 'unpaced booked', unit: 'M orders/s', ours: unpaced.map(({ booked }) => booked) },
      { figure: 'unpaced missing', unit: '%', ours: unpaced.map(share) },
    ];
  },
};

/** Reads until nothing more arrives. */
async function settled(read: () => ReceiverReading): Promise<ReceiverReading> {
  let last = read();
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += 10) {
    await sleep(10);
    const now = read();
    if (now.received !== last.received) quietMs = 0;
    last = now;
  }
  return last;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** Sums the causes of all rounds: `rxRingFull 120`, or `nothing missing`. */
function describe(outcomes: readonly Outcome[]): string {
  const totals = new Map<string, number>();
  for (const { causes } of outcomes) {
    for (const [cause, count] of Object.entries(causes)) totals.set(cause, (totals.get(cause) ?? 0) + count);
  }
  const some = [...totals].filter(([, count]) => count !== 0).map(([cause, count]) => `${cause} ${count}`);
  return some.length === 0 ? 'nothing missing' : some.join(', ');
}
