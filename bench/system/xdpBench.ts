import { type LoopOutput, type LoopSpec, type SampleLoopOptions, sampleLoop } from '../../src/lane/index.ts';
import { allowedCores } from '../../src/sys/index.ts';
import { LOOP_UDP_PORT, LoopNetwork } from './loopNetwork.ts';

/** What `barewire bench xdp` is asked to do. */
export interface XdpBenchOptions extends Omit<LoopSpec, 'ports' | 'netns'> {
  /** interface of the user's; a veth pair of our own when absent */
  readonly interface?: string;
  /** nicQueue; all when absent */
  readonly queue?: number;
  readonly mode: 'auto' | 'zerocopy' | 'copy';
  readonly attach: 'auto' | 'native' | 'generic';
  readonly busyPoll: boolean;
  /** FCS not counted [bytes] */
  readonly frameLen: number;
  /** of rx and tx ring [descriptors] */
  readonly ringSize: number;
  /** of each burst; 5 on a veth pair, 1 of a sweep, for ever on an interface of the user's */
  readonly seconds?: number;
  /** one sample for each burst instead of one for each second */
  readonly sweep: boolean;
}

/** Of a loop on a veth pair of ours, unless told. [s] */
const OWN_SECONDS = 5;

/**
 * Runs a plain loop over AF_XDP, on the last allowed core unless told, until its time is over or `signal` says so.
 *
 * Attaches nothing to an interface that the user has not named.
 *
 * @throws TypeError or RangeError for options that cannot be
 * @throws SystemError what opening the port throws
 */
export async function runXdpBench(
  options: XdpBenchOptions,
  output: LoopOutput,
  signal: AbortSignal,
): Promise<void> {
  const { interface: named, core = allowedCores().at(-1)!, seconds, sweep, ...loop } = options;
  const sampling: SampleLoopOptions = { sweep, ...(seconds === undefined ? {} : { seconds }) };
  if (named !== undefined) {
    await sampleLoop({ ...loop, core, ports: [portSpec(named, options)] }, sampling, output, signal);
    return;
  }
  await using network = new LoopNetwork(options.frameLen);
  const spec: LoopSpec = {
    ...{ ...loop, core, ports: [portSpec(network.interface, options)] },
    ...{ udpPort: LOOP_UDP_PORT, destinationMac: network.farMac, netns: network.namespace.path },
  };
  const flooding = loop.verb === 'txonly' ? {} : { load: (forSeconds: number) => network.flood(forSeconds) };
  const ownSeconds = seconds ?? (sweep ? 1 : OWN_SECONDS);
  await sampleLoop(spec, { ...sampling, ...flooding, seconds: ownSeconds }, output, signal);
}

function portSpec(name: string, { mode, attach, busyPoll, ringSize, queue }: XdpBenchOptions): string {
  const busy = busyPoll ? '&busypoll=true' : '';
  const only = queue === undefined ? '' : `&queue=${queue}`;
  return `xdp:${name}?mode=${mode}&attach=${attach}&rx=${ringSize}&tx=${ringSize}${busy}${only}`;
}
