/**
 * The far end of a plain loop: a worker in the other namespace, on a core of its own, that floods the loop with frames
 * made by the kernel, and forgets what the loop sends back before the network stack sees it.
 */
import { workerData } from 'node:worker_threads';
import { BpfProgram, verdictProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { interfaceInfo, NetworkNamespace, nowNs, pinThread } from '../../src/sys/index.ts';
import { serve } from '../harness/isolate.ts';

/** Where the far end lives, and what it sends. */
export interface FloodEnd {
  readonly netns: string;
  readonly interface: string;
  readonly core: number;
  readonly frame: Uint8Array;
}

/** How long to flood. */
export interface FloodTask {
  readonly seconds: number;
}

/** What was sent, and how long that took. */
export interface Flooded {
  readonly frames: number;
  readonly ns: number;
}

/** Frames of the first call, which tells how many the kernel makes in a second. */
const FIRST = 100_000;

const { netns, interface: name, core, frame } = workerData as FloodEnd;
{
  using namespace = NetworkNamespace.open(netns);
  namespace.enter();
}
pinThread(core);
const info = interfaceInfo(name);
const injector = BpfProgram.load(verdictProgramSpec('XDP_TX'));
// The end of a veth pair that has a program polls, so that frames come in bursts there too; dropping is the cheapest.
const sink = BpfProgram.load(verdictProgramSpec('XDP_DROP'));
XdpLink.attach(sink, info, 'native');
let perSecond = 0;

serve(({ seconds }: FloodTask): Flooded => {
  const startNs = nowNs();
  let frames = 0;
  for (let ns = 0; ns < seconds * 1e9; ns = nowNs() - startNs) {
    const left = Math.ceil((perSecond * (seconds * 1e9 - ns)) / 1e9);
    const repeat = perSecond === 0 ? FIRST : Math.max(FIRST / 10, left);
    injector.injectFrames({ frame, repeat, ifindex: info.index });
    frames += repeat;
    perSecond = (frames * 1e9) / (nowNs() - startNs);
  }
  return { frames, ns: nowNs() - startNs };
});
