import { setTimeout as sleep } from 'node:timers/promises';
import type { LoopPortReport, LoopReading } from './loopReading.ts';
import type { LoopSpec, LoopVerb } from './loopSpec.ts';
import { DEFAULT_BURST } from './portLoop.ts';
import { type RunningLoop, runLoop } from './runLoop.ts';

/** How long to look at a loop, and how often. */
export interface SampleLoopOptions {
  /** a loop with each of {@link sweepBursts}, one sample of each; default false: a sample every second */
  readonly sweep?: boolean;
  /** of each loop; default 1 of a sweep, else for ever */
  readonly seconds?: number;
  /** Sends frames to the loop for so many seconds; called again as long as the loop runs. */
  load?(seconds: number): Promise<unknown>;
}

/** A loop runs. */
export interface LoopStart {
  readonly kind: 'start';
  readonly verb: LoopVerb;
  readonly ports: readonly LoopPortReport[];
  readonly burst: number;
  /** l2fwd over two ports: whether frames are copied from one to the other */
  readonly copies?: boolean;
  /** one line for everything weaker than asked */
  readonly reasons: readonly string[];
}

/** What a loop did in a second, or in all its time. */
export interface LoopSample {
  readonly kind: 'sample';
  /** the second or the burst; `all` for the whole */
  readonly label: string;
  readonly burst: number;
  readonly seconds: number;
  readonly rxPps: number;
  readonly txPps: number;
  readonly rxMbps: number;
  readonly txMbps: number;
  /** absent when no port makes system calls to wake the kernel */
  readonly wakeupsPerSecond?: number;
  readonly dropsPerSecond: number;
  /** frames lost in this time, by reason */
  readonly drops: Readonly<Record<string, number>>;
  /** frames that went on without the VLAN tag that a NIC had taken off */
  readonly untagged: number;
}

/** Takes what there is to tell of a loop. */
export type LoopOutput = (event: LoopStart | LoopSample) => void;

/** The bursts of a sweep. [frames] */
export const sweepBursts: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** How far a loop is when it begins. */
const NOTHING = { rxFrames: 0, rxBytes: 0, txFrames: 0, txBytes: 0, untagged: 0, drops: {} } as const;
/** V8 compiles the loop, and the caches fill. [s] */
const WARM_UP = 0.5;
/** A sweep's samples are short. [ms] */
const SWEEP_INTERVAL_MS = 10;
/** Longest piece of a load: the end is never far. [s] */
const LOAD_PIECE = 0.5;

/**
 * Runs a plain loop until its time is over or `signal` says so, and tells what it does every second, and in all.
 *
 * @throws TypeError or RangeError for a spec that makes no sense
 * @throws what opening a port throws, or what ended the loop
 */
export async function sampleLoop(
  spec: LoopSpec,
  options: SampleLoopOptions,
  output: LoopOutput,
  signal: AbortSignal,
): Promise<void> {
  const { sweep = false, load } = options;
  const bursts = sweep ? sweepBursts : [spec.burst ?? DEFAULT_BURST];
  for (const burst of bursts) {
    if (signal.aborted) return;
    await using loop = await runLoop({ ...spec, burst, ...(sweep ? { intervalMs: SWEEP_INTERVAL_MS } : {}) });
    const { ports, copies, reasons } = loop.report;
    output({
      kind: 'start',
      verb: spec.verb,
      ports,
      burst,
      ...(ports.length > 1 ? { copies } : {}),
      reasons,
    });
    const ended = new AbortController();
    const loading =
      load === undefined ? undefined : keepLoading(load, AbortSignal.any([signal, ended.signal]));
    const readings = new Readings(loop, signal);
    try {
      if (sweep) await sampleBurst(readings, burst, options, output);
      else await sampleSeconds(readings, burst, options, output);
    } finally {
      ended.abort();
      await loading;
    }
  }
}

/** One sample for a burst of a sweep. */
async function sampleBurst(
  readings: Readings,
  burst: number,
  { seconds = 1 }: SampleLoopOptions,
  output: LoopOutput,
): Promise<void> {
  await readings.sleep(WARM_UP);
  const first = await readings.next();
  const last = first && (await readings.next(first.atNs + seconds * 1e9));
  if (last !== undefined) output(sampleOf(`${burst}`, burst, first!, last));
  else if (!readings.aborted) {
    throw new Error(`Cannot measure bursts of ${burst}: nothing more arrives, the port is at its end`);
  }
}

/** A sample for each second, and one for all of them. */
async function sampleSeconds(
  readings: Readings,
  burst: number,
  { seconds = Number.POSITIVE_INFINITY, load }: SampleLoopOptions,
  output: LoopOutput,
): Promise<void> {
  if (load !== undefined) await readings.sleep(WARM_UP);
  const first = load === undefined ? readings.start : await readings.next();
  if (first === undefined) return;
  const endNs = first.atNs + seconds * 1e9;
  let last = first;
  for (let second = 1; last.atNs < endNs; second++) {
    const now = await readings.next(Math.min(first.atNs + second * 1e9, endNs));
    if (now === undefined) {
      last = await readings.stop();
      break;
    }
    output(sampleOf(`${second}`, burst, last, now));
    last = now;
  }
  output(sampleOf('all', burst, first, last));
}

/** The readings of a loop, until it ends or the user wants no more. */
class Readings {
  /** when the loop began */
  readonly start: LoopReading;
  readonly #loop: RunningLoop;
  readonly #signal: AbortSignal;
  readonly #over: Promise<undefined>;

  constructor(loop: RunningLoop, signal: AbortSignal) {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.start = { ...NOTHING, atNs: loop.report.startNs };
    this.#loop = loop;
    this.#signal = signal;
    this.#over = Promise.race([aborted, loop.ended]).then(() => undefined);
  }

  get aborted(): boolean {
    return this.#signal.aborted;
  }

  /** The first reading from a moment on, now unless told; undefined when it is over. [monotonic ns] */
  next(fromNs?: number): Promise<LoopReading | undefined> {
    return Promise.race([this.#loop.next(fromNs === undefined ? undefined : fromNs - 1), this.#over]);
  }

  async sleep(seconds: number): Promise<void> {
    await Promise.race([sleep(seconds * 1e3, undefined, { ref: false }), this.#over]);
  }

  stop(): Promise<LoopReading> {
    return this.#loop.stop();
  }
}

async function keepLoading(load: (seconds: number) => Promise<unknown>, until: AbortSignal): Promise<void> {
  while (!until.aborted) await load(LOAD_PIECE);
}

function sampleOf(label: string, burst: number, from: LoopReading, to: LoopReading): LoopSample {
  const seconds = (to.atNs - from.atNs) / 1e9;
  const per = (name: 'rxFrames' | 'txFrames' | 'rxBytes' | 'txBytes'): number =>
    (to[name] - from[name]) / seconds;
  const drops: Record<string, number> = {};
  for (const [reason, count] of Object.entries(to.drops)) {
    const lost = count - (from.drops[reason] ?? 0);
    if (lost > 0) drops[reason] = lost;
  }
  const lost = Object.values(drops).reduce((sum, count) => sum + count, 0);
  const { wakeups } = to;
  return {
    ...{ kind: 'sample', label, burst, seconds },
    rxPps: per('rxFrames'),
    txPps: per('txFrames'),
    rxMbps: (per('rxBytes') * 8) / 1e6,
    txMbps: (per('txBytes') * 8) / 1e6,
    ...(wakeups === undefined ? {} : { wakeupsPerSecond: (wakeups - (from.wakeups ?? 0)) / seconds }),
    dropsPerSecond: lost / seconds,
    drops,
    untagged: to.untagged - from.untagged,
  };
}
