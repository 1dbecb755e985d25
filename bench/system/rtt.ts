import { siblingUrl } from '../../src/lane/index.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores } from '../../src/sys/index.ts';
import type { BenchCase, Measurement, PeerMeasurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import { needsRoot } from './needsRoot.ts';
import type { RttEnd, RttTask, RttTimes, RttVia } from './rttEnds.ts';

const VIAS: readonly RttVia[] = ['AF_XDP', 'spinning UDP sockets', 'node:dgram'];
const FIGURES = ['p50', 'p99', 'p99.9'] as const;

/** A 25-byte order there and back over a veth pair, one at a time; both ends spin, each on a core of its own. */
export const rtt: BenchCase = {
  name: 'rtt',
  about: 'round trip of a 25-byte order over veth, both ends alike, one order at a time',
  kind: 'system',
  needs: needsRoot,
  async run(context) {
    using network = new DemoNetwork();
    const cores = allowedCores();
    const end = (own: 'sender' | 'receiver', core: number): RttEnd => ({
      netns: network[own].namespace.path,
      interface: network[own].interface,
      address: network[own].address,
      peerAddress: network[own === 'sender' ? 'receiver' : 'sender'].address,
      core,
    });
    const module = siblingUrl(import.meta.url, './rttEnds');
    await using caller = new Isolate<RttTask, RttTimes>(module, end('sender', cores[0]!));
    await using answerer = new Isolate<RttTask, RttTimes>(module, end('receiver', cores.at(-1)!));
    const measure = async (via: RttVia, seconds: number): Promise<RttTimes> => {
      const answering = answerer.ask({ role: 'answer', via, seconds });
      const times = await caller.ask({ role: 'call', via, seconds });
      await answering;
      return times;
    };

    const seconds = context.seconds(1);
    for (const via of VIAS) await measure(via, Math.min(seconds, 0.5));
    const values = new Map(VIAS.map((via) => [via, FIGURES.map((): number[] => [])]));
    for await (const _ of context.rounds()) {
      for (const via of VIAS) {
        const times = await measure(via, seconds);
        for (const [i, figure] of FIGURES.entries()) values.get(via)![i]!.push(times[figure] / 1e3);
      }
    }
    return FIGURES.map((figure, i): Measurement => {
      const peer = (name: RttVia): PeerMeasurement => ({ name, values: values.get(name)![i]! });
      const spinning = peer('spinning UDP sockets');
      const dgram = peer('node:dgram');
      const isMedian = figure === 'p50';
      return {
        figure,
        unit: 'us',
        ours: values.get('AF_XDP')![i]!,
        peers: [
          isMedian ? { ...spinning, target: { op: '<', value: 1 } } : spinning,
          isMedian ? { ...dgram, target: { op: '<=', value: 1 / 12 } } : dgram,
        ],
      };
    });
  },
};
