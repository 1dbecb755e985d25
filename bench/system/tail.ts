import { Histogram } from '../../src/core/index.ts';
import { siblingUrl } from '../../src/lane/index.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores, link, withNetns } from '../../src/sys/index.ts';
import type { UdpFrameSpec } from '../../src/wire/index.ts';
import type { BenchCase, Measurement, PeerMeasurement } from '../harness/benchCase.ts';
import { formatNumber } from '../harness/formatNumber.ts';
import { Isolate } from '../harness/isolate.ts';
import type { Target } from '../harness/target.ts';
import { needsRoot } from './needsRoot.ts';
import { ANSWER_PORT, CALL_PORT } from './rttTrip.ts';
import type { TailEnd, TailResult, TailTask } from './tailEnds.ts';
import { TailPeer } from './tailPeer.ts';

const RATE = 100_000;
/** V8 compiles, sees more, compiles anew; the first run of all needs longer. */
const FIRST_WARM_UP_SECONDS = 3;
const WARM_UP_SECONDS = 1;
const C = 'C, AF_XDP';
const AS_FAST: Target = { op: '<=', value: 1.1 };
const NONE: Target = { op: '<=', value: 0 };

/** What is read off the latencies, by name. */
const FIGURES: Readonly<Record<string, (latencies: Histogram) => number>> = {
  p50: (latencies) => latencies.percentile(50),
  p99: (latencies) => latencies.percentile(99),
  'p99.9': (latencies) => latencies.percentile(99.9),
  'p99.99': (latencies) => latencies.percentile(99.99),
  max: (latencies) => latencies.max,
};

/** The tail of the round trip at a fixed rate, beside that of a C program: 60 s each in 5 rounds that take turns. */
export const tail: BenchCase = {
  name: 'tail',
  about: `round trip at ${RATE.toLocaleString('en')} orders/s in an open loop over veth, both ends AF_XDP`,
  kind: 'system',
  needs: () => needsRoot() ?? (allowedCores().length < 2 ? 'its ends spin on a core each' : undefined),
  async run(context) {
    using network = new DemoNetwork();
    const client = endOf(network, 'client');
    const echo = endOf(network, 'echo');
    const module = siblingUrl(import.meta.url, './tailEnds');
    await using caller = new Isolate<TailTask, TailResult>(module, client);
    await using answerer = new Isolate<TailTask, TailResult>(module, echo);
    const built = TailPeer.build();
    using peer = typeof built === 'string' ? undefined : built;
    if (typeof built === 'string') context.note(`${C} left out, ${built}`);

    const seconds = context.seconds(12);
    const task: TailTask = { warmUpSeconds: WARM_UP_SECONDS, seconds, rate: RATE };
    const measure = async (one: TailTask): Promise<[TailResult, TailResult]> =>
      Promise.all([caller.ask(one), answerer.ask(one)]);
    await measure({ ...task, warmUpSeconds: FIRST_WARM_UP_SECONDS, seconds: 0.1 });

    const ours: Histogram[] = [];
    const theirs: Histogram[] = [];
    const lost: number[] = [];
    const theirLost: number[] = [];
    const collections: number[] = [];
    for await (const _ of context.rounds(5)) {
      const [called, answered] = await measure(task);
      ours.push(Histogram.open(called.latencies!));
      lost.push(called.lost);
      collections.push(called.collections + answered.collections);
      if (peer === undefined) continue;
      const latencies = await peer.measure(client, echo, task);
      theirs.push(latencies);
      theirLost.push(Math.round(seconds * RATE) - latencies.count);
    }
    context.note(`all rounds as one, ours: ${describe(ours, lost)}`);
    if (peer !== undefined) context.note(`all rounds as one, ${C}: ${describe(theirs, theirLost)}`);
    const us = (rounds: readonly Histogram[], figure: string): number[] =>
      rounds.map((latencies) => FIGURES[figure]!(latencies) / 1e3);
    return [
      ...Object.keys(FIGURES).map((figure): Measurement => {
        const beside: PeerMeasurement = { name: C, values: us(theirs, figure) };
        return {
          ...{ figure, unit: 'us', ours: us(ours, figure) },
          peers: peer === undefined ? [] : [figure === 'p99.9' ? { ...beside, target: AS_FAST } : beside],
        };
      }),
      { figure: 'lost', unit: 'orders', ours: lost, target: NONE },
      { figure: 'collections', unit: '', ours: collections, target: NONE },
    ];
  },
};

function endOf(network: DemoNetwork, role: 'client' | 'echo'): TailEnd {
  const { sender, receiver } = network;
  const mac = ({ namespace, interface: name }: typeof sender): string =>
    withNetns(namespace, () => link(name).mac!);
  const ends: UdpFrameSpec = {
    sourceMac: mac(sender),
    destinationMac: mac(receiver),
    sourceAddress: sender.address,
    destinationAddress: receiver.address,
    sourcePort: CALL_PORT,
    destinationPort: ANSWER_PORT,
  };
  const cores = allowedCores();
  const host = role === 'client' ? sender : receiver;
  return {
    role,
    netns: host.namespace.path,
    interface: host.interface,
    core: role === 'client' ? cores[0]! : cores.at(-1)!,
    ends,
  };
}

/** What all rounds have seen together: `p50 7.3, p99 … us, lost 0`. */
function describe(rounds: readonly Histogram[], lost: readonly number[]): string {
  const all = Histogram.create();
  for (const one of rounds) all.merge(one);
  const parts = Object.entries(FIGURES).map(([figure, read]) => `${figure} ${formatNumber(read(all) / 1e3)}`);
  return `${parts.join(', ')} us, lost ${lost.reduce((sum, one) => sum + one, 0)}`;
}
