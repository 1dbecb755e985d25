import { setTimeout as sleep } from 'node:timers/promises';
import { type LoopVerb, runLoop } from '../../src/lane/index.ts';
import { allowedCores } from '../../src/sys/index.ts';
import type { BenchCase, Measurement } from '../harness/benchCase.ts';
import { LOOP_UDP_PORT, LoopNetwork } from './loopNetwork.ts';
import { needsRoot } from './needsRoot.ts';
import { type ForwardMode, needsTestpmd, Testpmd } from './testpmd.ts';

/** The loops that testpmd has too, and what it calls them. */
const LOOPS: readonly (readonly [LoopVerb, ForwardMode])[] = [
  ['rxdrop', 'rxonly'],
  ['txonly', 'txonly'],
  ['l2fwd', 'macswap'],
];
const BURST = 64;
const RING = 2048;
const FRAME_LEN = 64;
/** V8 compiles the loop, and the caches fill. [s] */
const WARM_UP = 0.5;
/** What is on its way arrives within so long. [ms] */
const QUIET_MS = 50;

/** Counters of a loop of ours or of the peer's. [frames] */
interface Counters {
  readonly rxFrames: number;
  readonly txFrames: number;
}

/** The plain loops over veth in native mode and copy mode, ours and testpmd's in turns, on the same pair. */
export const loops: BenchCase = {
  name: 'loops',
  about: 'rxdrop, txonly and l2fwd over veth, native mode, copy mode, frames of 64 bytes in bursts of 64',
  kind: 'system',
  needs: needsRoot,
  async run(context) {
    const cores = allowedCores();
    const noPeer = needsTestpmd();
    if (noPeer !== undefined) context.note(`loops: dpdk-testpmd left out, ${noPeer}`);
    await using network = new LoopNetwork(FRAME_LEN);
    const seconds = context.seconds(1);

    const rate = async (verb: LoopVerb, read: () => Promise<Counters>): Promise<number> => {
      const frames = ({ rxFrames, txFrames }: Counters): number => (verb === 'rxdrop' ? rxFrames : txFrames);
      const load = async (forSeconds: number): Promise<number> => {
        if (verb !== 'txonly') return (await network.flood(forSeconds)).ns;
        const startMs = performance.now();
        await sleep(forSeconds * 1e3);
        return (performance.now() - startMs) * 1e6;
      };
      await load(WARM_UP);
      if (verb !== 'txonly') await sleep(QUIET_MS);
      const before = frames(await read());
      const ns = await load(seconds);
      if (verb !== 'txonly') await sleep(QUIET_MS);
      return ((frames(await read()) - before) / ns) * 1e3;
    };
    const ours = async (verb: LoopVerb): Promise<number> => {
      await using loop = await runLoop({
        ...{ verb, burst: BURST, udpPort: LOOP_UDP_PORT, frameLen: FRAME_LEN, strict: true, intervalMs: 10 },
        ports: [`xdp:${network.interface}?mode=copy&attach=native&rx=${RING}&tx=${RING}`],
        destinationMac: network.farMac,
        core: cores.at(-1)!,
        netns: network.namespace.path,
      });
      return await rate(verb, () => loop.next());
    };
    const peer = async (verb: LoopVerb, mode: ForwardMode): Promise<number> => {
      const { namespace, interface: name } = network;
      await using testpmd = await Testpmd.start({
        ...{ namespace, mode, burst: BURST, ringSize: RING, frameLen: FRAME_LEN },
        device: `net_af_xdp0,iface=${name},force_copy=1`,
        core: cores.at(-1)!,
        commandCore: cores[0]!,
      });
      return await rate(verb, () => testpmd.read());
    };

    const figures = LOOPS.map(([verb, mode]) => ({ verb, mode, own: [] as number[], peer: [] as number[] }));
    for await (const _ of context.rounds(5)) {
      for (const figure of figures) {
        figure.own.push(await ours(figure.verb));
        if (noPeer === undefined) figure.peer.push(await peer(figure.verb, figure.mode));
      }
    }
    return figures.map(({ verb, mode, own, peer: values }): Measurement => {
      const beside = { name: `dpdk-testpmd ${mode}`, values, target: { op: '>=', value: 1 } } as const;
      return { figure: verb, unit: 'Mpps', ours: own, peers: values.length > 0 ? [beside] : [] };
    });
  },
};
