import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext, Script } from 'node:vm';
import type { LoopSample } from '../lane/index.ts';
import { renderSweepPlot } from './sweepPlot.ts';

const sample = (burst: number, more: Partial<LoopSample> = {}): LoopSample => ({
  ...{ kind: 'sample', label: `${burst}`, burst, seconds: 1, rxPps: burst * 1e5, txPps: 0 },
  ...{ rxMbps: 0, txMbps: 0, dropsPerSecond: 0, drops: {}, untagged: 0 },
  ...more,
});
const title = 'rxdrop on xdp:a<b>';
const samples = [sample(1), sample(2, { wakeupsPerSecond: 7 }), sample(4, { drops: { rxRingFull: 3 } })];
const page = renderSweepPlot({ title, notes: ['copy & generic'], samples });

const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]!);

/** Runs the script that draws, with a recorder in the place of uPlot. */
function drawn(html: string): { options: { axes: { label: string }[] }; data: number[][]; target: string }[] {
  const charts: ReturnType<typeof drawn> = [];
  const script = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].at(-1)![1]!;
  class Recorder {
    constructor(options: (typeof charts)[number]['options'], data: number[][], target: string) {
      charts.push({ options, data, target });
    }
  }
  const document = {
    getElementById: (id: string) => (html.includes(`<div id="${id}">`) ? id : null),
  };
  runInNewContext(script, { uPlot: Recorder, document });
  return structuredClone(
    charts.map(({ options: { axes }, data, target }) => ({
      options: { axes: axes.map(({ label }) => ({ label })) },
      data,
      target,
    })),
  );
}

describe('renderSweepPlot()', () => {
  it('makes one file that loads nothing', () => {
    assert.doesNotMatch(page, /<link|<iframe|<img|\ssrc=|@import|url\(|fetch\(|XMLHttpRequest|import\(/i);
    assert.deepEqual(page.match(/https?:\/\/[^\s'"]+/g), ['https://github.com/leeoniya/uPlot'], 'a comment');
    assert.match(page, /^<!doctype html>/);
    assert.match(page, /Permission is hereby granted/);
  });

  it('holds the library and a script that are JavaScript', () => {
    assert.equal(scripts.length, 2);
    for (const script of scripts) new Script(script);
    assert.match(scripts[0]!, /uPlot/);
  });

  it('draws the rates and the costs over the bursts', () => {
    const [rates, costs, ...others] = drawn(page);
    assert.deepEqual(others, []);
    assert.deepEqual(rates!.data, [
      [1, 2, 4],
      [0.1, 0.2, 0.4],
    ]);
    assert.deepEqual(costs!.data, [
      [1, 2, 4],
      [0, 7, 0],
    ]);
    assert.deepEqual([rates!.target, costs!.target], ['rates', 'costs']);
    assert.deepEqual(
      rates!.options.axes.map(({ label }) => label),
      ['burst [frames]', 'Mpps'],
    );
  });

  it('leaves out a chart without a line', () => {
    const charts = drawn(renderSweepPlot({ title, notes: [], samples: [sample(1)] }));
    assert.deepEqual(
      charts.map(({ target }) => target),
      ['rates'],
    );
  });

  it('writes the figures into a table, and names as text', () => {
    assert.match(page, /<h1>rxdrop on xdp:a&lt;b&gt;<\/h1>/);
    assert.match(page, /<p>copy &amp; generic<\/p>/);
    assert.match(
      page,
      /<tr><td>4<\/td><td>0\.400<\/td><td>0\.000<\/td><td>-<\/td><td>0<\/td><td>rxRingFull 3<\/td><\/tr>/,
    );
  });
});
