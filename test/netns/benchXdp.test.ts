import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LoopSample, LoopStart } from '../../src/lane/index.ts';
import { link, withNetns } from '../../src/sys/index.ts';
import { findTool } from '../support/debianTools.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const start = (args: readonly string[]): ChildProcess =>
  spawn(process.execPath, [MAIN, 'bench', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });

/** Waits for the end. @returns what it printed, and its exit code */
async function finish(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  let out = '';
  let err = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, out, err };
}

async function events(...args: readonly string[]): Promise<[LoopStart, ...LoopSample[]]> {
  const { code, out, err } = await finish(start(['xdp', ...args, '--json']));
  assert.equal(code, 0, err);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LoopStart | LoopSample) as [LoopStart, ...LoopSample[]];
}

describe('barewire bench xdp', () => {
  const moves: Readonly<Record<string, (sample: LoopSample) => boolean>> = {
    rxdrop: ({ rxPps, txPps }) => rxPps > 0 && txPps === 0,
    txonly: ({ rxPps, txPps, wakeupsPerSecond }) => rxPps === 0 && txPps > 0 && wakeupsPerSecond! > 0,
    l2fwd: ({ rxPps, txPps }) => rxPps > 0 && txPps > 0,
    echo: ({ rxPps, txPps }) => rxPps > 0 && txPps > 0,
  };
  for (const [verb, moved] of Object.entries(moves)) {
    for (const attach of ['native', 'generic']) {
      it(`runs ${verb} in ${attach} mode on a pair of its own`, async (t) => {
        if (!requireRoot(t)) return;
        const [started, ...samples] = await events(verb, `--${attach}`, '--copy', '--seconds', '1');
        assert.equal(started.ports[0]!.mode, `${attach} mode, copy, 1 of 1 queues`);
        const all = samples.at(-1)!;
        assert.equal(all.label, 'all');
        assert.ok(moved(all), JSON.stringify(all));
      });
    }
  }

  it('measures bursts of 1, 2, 4 … 256 frames', async (t) => {
    if (!requireRoot(t)) return;
    const lines = await events('txonly', '--sweep', '--seconds', '0.1');
    const samples = lines.filter((line) => line.kind === 'sample') as LoopSample[];
    assert.deepEqual(
      samples.map(({ burst }) => burst),
      [1, 2, 4, 8, 16, 32, 64, 128, 256],
    );
    for (const sample of samples) assert.ok(sample.txPps > 0);
  });

  it('runs on an interface of the user until it is interrupted, and leaves it as it was', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    const { namespace, name } = veth.a;
    const child = withNetns(namespace, () => start(['xdp', 'txonly', '-i', name, '--mac', veth.b.mac]));
    const finished = finish(child);
    await once(child.stdout!, 'data');
    assert.notEqual(withNetns(namespace, () => link(name)).xdp, undefined);
    child.kill('SIGINT');
    const { code, out } = await finished;
    assert.equal(code, 0);
    assert.match(out, /^ +second +rx pps +tx pps +rx Mbit\/s +tx Mbit\/s +wake-ups +drops\n/);
    assert.equal(withNetns(namespace, () => link(name)).xdp, undefined);
  });

  it('refuses what cannot be, and says why', async (t) => {
    if (!requireRoot(t)) return;
    const cases: readonly [readonly string[], RegExp][] = [
      [['fish'], /Cannot run loop fish: there are rxdrop, txonly, l2fwd, echo/],
      [['rxdrop', '--zero-copy'], /zero-copy.*EOPNOTSUPP/],
      [['rxdrop', '-b', '0'], /capacity must be 1 to 65536/],
      [['txonly', '-s', '20'], /frame of 20 bytes: wanted 42 to 1514/],
      [['txonly', '-i', 'lo'], /say where to with --mac/],
      [['rxdrop', '-i', 'nope'], /Cannot find interface nope/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await finish(start(['xdp', ...args]));
      assert.equal(code, 1, args.join(' '));
      assert.match(err, message);
      assert.doesNotMatch(err, /\n {4}at /, 'no stack for an error of the user');
    }
  });
});

it('barewire bench loops measures ours, and testpmd beside it where that is installed', async (t) => {
  if (!requireRoot(t)) return;
  const { code, out, err } = await finish(start(['loops', '--rounds', '1', '--seconds', '0.3', '--json']));
  assert.equal(code, 0, err);
  const figures = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { figure: string; ours: number; peer: { value: number } | null });
  assert.deepEqual(
    figures.map(({ figure }) => figure),
    ['rxdrop', 'txonly', 'l2fwd'],
  );
  for (const { figure, ours, peer } of figures) {
    assert.ok(ours > 0, figure);
    if (findTool('dpdk-testpmd') === undefined) assert.match(err, /dpdk-testpmd is not installed/);
    else assert.ok(peer!.value > 0, figure);
  }
});
