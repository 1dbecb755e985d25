import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Burst } from '../../core/index.ts';
import { openPort } from '../../port/index.ts';
import type { LoopSpec } from './loopSpec.ts';
import {
  type LoopSample,
  type LoopStart,
  type SampleLoopOptions,
  sampleLoop,
  sweepBursts,
} from './sampleLoop.ts';

async function sampled(spec: LoopSpec, options: SampleLoopOptions): Promise<[LoopStart, ...LoopSample[]]> {
  const events: (LoopStart | LoopSample)[] = [];
  await sampleLoop(spec, options, (event) => events.push(event), new AbortController().signal);
  return events as [LoopStart, ...LoopSample[]];
}

describe('sampleLoop()', { concurrency: true }, () => {
  it('says over what a loop runs, then what it does, and in all', async () => {
    const [start, ...samples] = await sampled(
      { verb: 'txonly', ports: ['loop:a?ring=64'], frameLen: 100, burst: 32 },
      { seconds: 0.2 },
    );
    assert.deepEqual(start, {
      kind: 'start',
      verb: 'txonly',
      ports: [{ spec: 'loop:a?ring=64', via: 'loop', accelerated: false, mode: 'memory' }],
      burst: 32,
      reasons: [],
    });
    assert.deepEqual(
      samples.map(({ label, burst }) => [label, burst]),
      [
        ['1', 32],
        ['all', 32],
      ],
    );
    for (const sample of samples) {
      assert.ok(Math.abs(sample.seconds - 0.2) < 0.1, `${sample.seconds} s`);
      // Nobody is at the other end, which takes a ringful.
      assert.ok(sample.txPps * sample.seconds <= 64);
      assert.deepEqual({ rx: sample.rxPps, drops: sample.drops }, { rx: 0, drops: {} });
      assert.equal('wakeupsPerSecond' in sample, false, 'a loop port makes no system calls');
    }
  });

  it('forwards between two ports both ways, and says that frames are copied', async () => {
    const [start, ...samples] = await sampled(
      { verb: 'l2fwd', ports: ['loop:c', 'loop:d'] },
      { seconds: 0.1 },
    );
    assert.equal(start.copies, true);
    assert.equal(samples.at(-1)!.label, 'all');
  });

  it('says that frames are not copied between ports that share memory', async () => {
    const [start] = await sampled({ verb: 'l2fwd', ports: ['loop:e', 'loop:e'] }, { seconds: 0.1 });
    assert.equal(start.copies, false);
  });

  it('ends with what was counted in all when it is interrupted', async () => {
    const abort = new AbortController();
    const events: (LoopStart | LoopSample)[] = [];
    const listen = (event: LoopStart | LoopSample): void => {
      events.push(event);
      setTimeout(() => abort.abort(), 300);
    };
    await sampleLoop({ verb: 'echo', ports: ['loop:f'], idle: 'block' }, {}, listen, abort.signal);
    const [start, ...samples] = events as [LoopStart, ...LoopSample[]];
    assert.deepEqual(start.reasons, [
      'block wakes up every millisecond: a pollable of this program has no file descriptor to wait for',
    ]);
    assert.deepEqual(
      samples.map(({ label }) => label),
      ['all'],
    );
    assert.ok(samples[0]!.seconds > 0.05);
  });

  it('ends with a recording, of which it has counted every frame', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'barewire-loop-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'in.pcapng');
    {
      using out = openPort(`pcap:?out=${path}`);
      const burst = new Burst(100);
      out.alloc(burst, 100);
      burst.len.fill(60);
      out.tx(burst);
    }
    const [, ...samples] = await sampled({ verb: 'rxdrop', ports: [`pcap:${path}`] }, {});
    assert.deepEqual(
      samples.map(({ label, rxPps, seconds }) => [label, Math.round(rxPps * seconds)]),
      [['all', 100]],
    );
    const sweep = sampled({ verb: 'rxdrop', ports: [`pcap:${path}`] }, { sweep: true });
    await assert.rejects(sweep, /Cannot measure bursts of 1: nothing more arrives, the port is at its end/);
  });

  it('makes a sample with each burst of a sweep, under the load that it is given', async () => {
    const abort = new AbortController();
    let loads = 0;
    const load = async (seconds: number): Promise<void> => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, Math.min(100, seconds * 1e3)));
    };
    const events: (LoopStart | LoopSample)[] = [];
    const listen = (event: LoopStart | LoopSample): void => {
      events.push(event);
      if (event.kind === 'sample' && event.burst === 2) abort.abort();
    };
    await sampleLoop(
      { verb: 'rxdrop', ports: ['loop:g'] },
      { sweep: true, seconds: 0.05, load },
      listen,
      abort.signal,
    );
    assert.deepEqual(
      events.map(({ kind, burst }) => [kind, burst]),
      sweepBursts.slice(0, 2).flatMap((burst) => [
        ['start', burst],
        ['sample', burst],
      ]),
    );
    assert.ok(loads >= 2);
  });

  it('throws what opening a port throws, and refuses what no loop can be', async () => {
    const cases: readonly [LoopSpec, RegExp][] = [
      [{ verb: 'rxdrop', ports: ['fish:a'] }, /no port "fish:"/],
      [{ verb: 'rxdrop', ports: ['loop:h', 'loop:i'] }, /wanted one port/],
      [{ verb: 'rxdrop', ports: ['loop:h'], burst: 0 }, /capacity must be 1 to 65536 descriptors, got 0/],
      [{ verb: 'txonly', ports: ['loop:h'], frameLen: 20 }, /frame of 20 bytes: wanted 42 to 1514/],
    ];
    for (const [spec, message] of cases) await assert.rejects(sampled(spec, { seconds: 0.1 }), message);
  });
});
