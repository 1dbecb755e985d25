import { siblingUrl } from '../../src/lane/siblingUrl.ts';
import type { BenchCase, BenchContext, Measurement } from './benchCase.ts';
import { type Figure, toFigures } from './figure.ts';
import { Isolate } from './isolate.ts';
import { median } from './median.ts';
import { Turns } from './turns.ts';

/** What the user may change about a run. */
export interface RunOptions {
  /** Rounds of every case; each case's own number when absent. */
  readonly rounds?: number | undefined;
  /** How long one variant or peer is measured in one round [s]; each case's own time when absent. */
  readonly seconds?: number | undefined;
  /** The port to run over, for cases that can; what each case usually runs over when absent. */
  readonly via?: string | undefined;
  /** Runs the calibration loop; tests put something quick here. */
  readonly calibrate?: () => number | Promise<number>;
}

/** Where a run's output goes. */
export interface RunOutput {
  /** Results of cases that ran together, complete. */
  figures(figures: readonly Figure[]): void;
  /** A sentence about what was left out. */
  note(text: string): void;
  /** A case that ended with an error. */
  failed(name: string, error: unknown): void;
  /** What is going on, replaced by the next call. */
  progress(text: string): void;
}

const ROUNDS = 7;

/**
 * Runs cases and hands on their results: the micro cases together, taking turns round by round, then each system
 * case alone. The calibration loop runs before every round of every case; its median goes with the case's results.
 *
 * @returns whether every case came to its end
 */
export async function runCases(
  cases: readonly BenchCase[],
  options: RunOptions,
  output: RunOutput,
): Promise<boolean> {
  await using calibrator =
    options.calibrate === undefined
      ? new Isolate<null, number>(siblingUrl(import.meta.url, './calibrationThread'))
      : undefined;
  const calibrate = options.calibrate ?? (() => calibrator!.ask(null));
  const micro = cases.filter(({ kind }) => kind === 'micro');
  const system = cases.filter(({ kind }) => kind === 'system');
  let ok = true;
  for (const group of [micro, ...system.map((one) => [one])]) {
    if (group.length === 0) continue;
    const turns = new Turns();
    const results = await Promise.allSettled(
      group.map((one) => runCase(one, turns, { ...options, calibrate }, output)),
    );
    const figures: Figure[] = [];
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') figures.push(...result.value);
      else output.failed(group[index]!.name, result.reason);
    }
    if (figures.length > 0) output.figures(figures);
    ok &&= results.every(({ status }) => status === 'fulfilled');
  }
  return ok;
}

async function runCase(
  one: BenchCase,
  turns: Turns,
  options: RunOptions & Required<Pick<RunOptions, 'calibrate'>>,
  output: RunOutput,
): Promise<Figure[]> {
  const calibrations: number[] = [];
  const context: BenchContext = {
    via: options.via,
    async *rounds(count = ROUNDS) {
      const total = options.rounds ?? count;
      for (let round = 0; round < total; round++) {
        if (round > 0) {
          turns.give();
          await turns.take();
        }
        output.progress(`${one.name}: round ${round + 1} of ${total}`);
        calibrations.push(await options.calibrate());
        yield round;
      }
    },
    seconds: (usual) => options.seconds ?? usual,
    note: (text) => output.note(`${one.name}: ${text}`),
  };
  await turns.take();
  try {
    output.progress(`${one.name}: setting up`);
    const measured = await one.run(context);
    const judged = options.via === undefined ? measured : measured.map(withoutTargets);
    return toFigures(one.name, judged, median(calibrations));
  } finally {
    turns.give();
  }
}

/** The targets are those of the usual port. */
function withoutTargets({ target: _, peers = [], ...measurement }: Measurement): Measurement {
  return { ...measurement, peers: peers.map(({ name, values }) => ({ name, values })) };
}
