import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BenchCase } from './benchCase.ts';
import type { Figure } from './figure.ts';
import { type RunOptions, type RunOutput, runCases } from './runCases.ts';

/** Keeps what a run puts out, in order. */
class Log implements RunOutput {
  readonly lines: string[] = [];
  readonly results: Figure[] = [];
  figures(figures: readonly Figure[]): void {
    this.results.push(...figures);
    this.lines.push(`figures ${figures.map((figure) => figure.case)}`);
  }
  note(text: string): void {
    this.lines.push(text);
  }
  failed(name: string, error: unknown): void {
    this.lines.push(`${name} failed: ${(error as Error).message}`);
  }
  progress(): void {}
}

/** A case whose rounds say so in the log. */
function fake(name: string, kind: BenchCase['kind'], log: Log, rounds?: number): BenchCase {
  return {
    ...{ name, kind, about: '' },
    async run(context) {
      const ours: number[] = [];
      for await (const round of context.rounds(rounds)) {
        log.lines.push(`${name} ${round}`);
        ours.push(context.seconds(round));
      }
      return [{ figure: 'f', unit: 's', ours }];
    },
  };
}

/** Options with a calibration that counts up: 1, 2, 3, … */
function quick(options: RunOptions = {}): RunOptions {
  let calibrations = 0;
  return { calibrate: () => ++calibrations, ...options };
}

test('runCases() lets micro cases take turns round by round and runs system cases alone', async () => {
  const log = new Log();
  const cases = [fake('s', 'system', log, 2), fake('a', 'micro', log, 2), fake('b', 'micro', log, 3)];
  assert.equal(await runCases(cases, quick(), log), true);
  assert.deepEqual(log.lines, [
    ...['a 0', 'b 0', 'a 1', 'b 1', 'b 2', 'figures a,b'],
    ...['s 0', 's 1', 'figures s'],
  ]);
});

test("runCases() gives each case the median of its own rounds' calibrations", async () => {
  const log = new Log();
  await runCases([fake('a', 'micro', log, 3), fake('b', 'micro', log, 3)], quick(), log);
  assert.deepEqual(
    log.results.map(({ calibration, rounds }) => ({ calibration, rounds })),
    [
      { calibration: 3, rounds: 3 },
      { calibration: 4, rounds: 3 },
    ],
  );
});

test("runCases() puts the user's rounds and seconds before the case's own", async () => {
  const log = new Log();
  await runCases([fake('a', 'micro', log, 5)], quick({ rounds: 2, seconds: 9 }), log);
  assert.deepEqual(log.lines, ['a 0', 'a 1', 'figures a']);
  assert.equal(log.results[0]!.ours, 9);
});

test('runCases() runs seven rounds when nobody says how many', async () => {
  const log = new Log();
  await runCases([fake('a', 'micro', log)], quick(), log);
  assert.equal(log.results[0]!.rounds, 7);
});

test('runCases() reports the case that fails and finishes the others', async () => {
  const log = new Log();
  const broken: BenchCase = {
    ...{ name: 'broken', about: '', kind: 'micro' },
    async run({ rounds, note }) {
      for await (const round of rounds()) {
        note('left out');
        if (round === 1) throw new Error('no more');
      }
      return [];
    },
  };
  assert.equal(await runCases([broken, fake('a', 'micro', log, 3)], quick(), log), false);
  assert.deepEqual(log.lines, [
    ...['broken: left out', 'a 0', 'broken: left out', 'a 1', 'a 2'],
    ...['broken failed: no more', 'figures a'],
  ]);
});

test('runCases() hands the port on, and holds figures against targets over the usual one only', async () => {
  const targeted: BenchCase = {
    ...{ name: 'a', about: '', kind: 'system' },
    async run({ rounds, via }) {
      for await (const _ of rounds(1));
      const target = { op: '<', value: 2 } as const;
      return [
        { figure: via ?? 'usual', unit: 's', ours: [1], target, peers: [{ name: 'p', values: [1], target }] },
      ];
    },
  };
  const log = new Log();
  await runCases([targeted], quick(), log);
  await runCases([targeted], quick({ via: 'memif' }), log);
  assert.deepEqual(
    log.results.map(({ figure, verdicts, ratio }) => [figure, verdicts.length, ratio]),
    [
      ['usual', 2, 1],
      ['memif', 0, 1],
    ],
  );
});
