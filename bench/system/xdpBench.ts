import { allowedCores, link } from '../../src/sys/index.ts';
import { formatMac } from '../../src/wire/index.ts';
import type { LoopReading, LoopVerb } from './loopLane.ts';
import { buildFrame, LOOP_UDP_PORT, LoopNetwork } from './loopNetwork.ts';
import { runLoop } from './runLoop.ts';

/** What `barewire bench xdp` is asked to do. */
export interface XdpBenchOptions {
  readonly verb: LoopVerb;
  /** interface of the user's; a veth pair of our own when absent */
  readonly interface?: string;
  /** nicQueue; all when absent */
  readonly queue?: number;
  readonly mode: 'auto' | 'zerocopy' | 'copy';
  readonly attach: 'auto' | 'native' | 'generic';
  readonly busyPoll: boolean;
  /** bursts to run with, one after the other */
  readonly bursts: readonly number[];
  /** FCS not counted [bytes] */
  readonly frameLen: number;
  /** of rx and tx ring [descriptors] */
  readonly ringSize: number;
  readonly udpPort: number;
  /** where txonly sends to on an interface of the user's */
  readonly mac?: string;
  /** the last allowed one when absent */
  readonly core?: number;
  /** of each burst; 5 on a veth pair, 1 of a sweep, for ever on an interface of the user's */
  readonly seconds?: number;
  /** one sample for each burst instead of one for each second */
  readonly sweep: boolean;
}

/** A loop runs. */
export interface XdpBenchStart {
  readonly kind: 'start';
  readonly verb: LoopVerb;
  readonly interface: string;
  readonly burst: number;
  /** in words: `native mode, copy, 1 of 1 queues` */
  readonly mode: string;
  /** one line for everything weaker than asked */
  readonly reasons: readonly string[];
  readonly sweep: boolean;
  /** of all bursts */
  readonly first: boolean;
}

/** What a loop did in a second, or in all its time. */
export interface XdpBenchSample {
  readonly kind: 'sample';
  /** the second or the burst; `all` for the whole */
  readonly label: string;
  readonly burst: number;
  readonly seconds: number;
  readonly rxPps: number;
  readonly txPps: number;
  readonly rxMbps: number;
  readonly txMbps: number;
  readonly wakeupsPerSecond: number;
  readonly dropsPerSecond: number;
  /** frames lost in this time, by reason */
  readonly drops: Readonly<Record<string, number>>;
}

/** Takes what the bench has to tell. */
export type XdpBenchOutput = (event: XdpBenchStart | XdpBenchSample) => void;

/** Where a loop runs. */
interface Stage extends AsyncDisposable {
  readonly interface: string;
  readonly netns: string | undefined;
  readonly frame: Uint8Array;
  /** Sends frames to the loop for so long. */
  flood(seconds: number): Promise<unknown>;
}

const WARM_UP_SECONDS = 0.5;

/**
 * Runs a plain loop with each burst, until its time is over or `signal` says so, and tells what it does every second.
 *
 * Attaches nothing to an interface that the user has not named.
 *
 * @throws TypeError or RangeError for options that cannot be
 * @throws SystemError what opening the port throws
 */
export async function runXdpBench(
  options: XdpBenchOptions,
  output: XdpBenchOutput,
  signal: AbortSignal,
): Promise<void> {
  await using stage = openStage(options);
  for (const burst of options.bursts) {
    if (signal.aborted) return;
    await runBurst(stage, burst, options, output, signal);
  }
}

function openStage(options: XdpBenchOptions): Stage {
  const { interface: name, frameLen } = options;
  if (name !== undefined) return namedStage(name, options);
  const network = new LoopNetwork(frameLen);
  return {
    interface: network.interface,
    netns: network.namespace.path,
    frame: network.frame,
    flood: (seconds) => network.flood(seconds),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

function namedStage(name: string, { verb, mac, frameLen, udpPort }: XdpBenchOptions): Stage {
  if (verb === 'txonly' && mac === undefined) {
    throw new TypeError(`Cannot send on ${name}: say where to with --mac, lest a whole network is flooded`);
  }
  const own = link(name).mac ?? formatMac(new Uint8Array(6));
  return {
    interface: name,
    netns: undefined,
    frame: buildFrame(mac ?? own, own, udpPort, frameLen),
    flood: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

async function runBurst(
  stage: Stage,
  burst: number,
  options: XdpBenchOptions,
  output: XdpBenchOutput,
  signal: AbortSignal,
): Promise<void> {
  const { verb, sweep } = options;
  const own = stage.netns !== undefined;
  const seconds = options.seconds ?? (sweep ? 1 : own ? 5 : Number.POSITIVE_INFINITY);
  await using loop = await runLoop({
    ...{ verb, burst, frame: stage.frame, netns: stage.netns },
    udpPort: own ? LOOP_UDP_PORT : options.udpPort,
    via: portSpec(stage.interface, options),
    strict: false,
    intervalMs: sweep ? 10 : 1000,
    core: options.core ?? allowedCores().at(-1)!,
  });
  const { mode, reasons } = loop.report;
  const first = burst === options.bursts[0];
  output({ kind: 'start', verb, interface: stage.interface, burst, mode, reasons, sweep, first });
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const flooding = verb === 'txonly' ? Promise.resolve() : flood(stage, until);
  try {
    const aborted = new Promise<undefined>((resolve) => {
      until.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    if (sweep) await Promise.race([after(WARM_UP_SECONDS), aborted]);
    const start = await Promise.race([loop.next(), aborted]);
    let last = start;
    for (let second = 1; start && last && elapsed(start, last) < seconds - 0.05; second++) {
      if (sweep) await Promise.race([after(seconds), aborted]);
      const now = await Promise.race([loop.next(sweep ? undefined : last.atNs), aborted]);
      if (now === undefined) break;
      output(sampleOf(sweep ? `${burst}` : `${second}`, burst, last, now));
      last = now;
    }
    if (start && last && last !== start && !sweep) output(sampleOf('all', burst, start, last));
  } finally {
    ended.abort();
    await flooding;
  }
}

/** Floods in pieces of a second at most, so that the end is never far. */
async function flood(stage: Stage, until: AbortSignal): Promise<void> {
  while (!until.aborted && stage.netns !== undefined) await stage.flood(0.5);
}

function portSpec(name: string, options: XdpBenchOptions): string {
  const { mode, attach, busyPoll, ringSize, queue } = options;
  const busy = busyPoll ? '&busypoll=true' : '';
  const only = queue === undefined ? '' : `&queue=${queue}`;
  return `xdp:${name}?mode=${mode}&attach=${attach}&rx=${ringSize}&tx=${ringSize}${busy}${only}`;
}

function after(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1e3));
}

function elapsed(from: LoopReading, to: LoopReading): number {
  return (to.atNs - from.atNs) / 1e9;
}

function sampleOf(label: string, burst: number, from: LoopReading, to: LoopReading): XdpBenchSample {
  const seconds = elapsed(from, to);
  const per = (name: 'rxFrames' | 'txFrames' | 'rxBytes' | 'txBytes' | 'wakeups'): number =>
    (to[name] - from[name]) / seconds;
  const drops: Record<string, number> = {};
  for (const [reason, count] of Object.entries(to.drops)) {
    const lost = count - (from.drops[reason] ?? 0);
    if (lost > 0) drops[reason] = lost;
  }
  const lost = Object.values(drops).reduce((sum, count) => sum + count, 0);
  return {
    ...{ kind: 'sample', label, burst, seconds },
    rxPps: per('rxFrames'),
    txPps: per('txFrames'),
    rxMbps: (per('rxBytes') * 8) / 1e6,
    txMbps: (per('txBytes') * 8) / 1e6,
    wakeupsPerSecond: per('wakeups'),
    dropsPerSecond: lost / seconds,
    drops,
  };
}
