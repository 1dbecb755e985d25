import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoopReporter } from './loopReporter.ts';

describe('LoopReporter', () => {
  const make = (): { reporter: LoopReporter; reports: () => number; advance: (ns: number) => void } => {
    let now = 1_000;
    let count = 0;
    const reporter = new LoopReporter(
      [7],
      100,
      () => now,
      () => count++,
    );
    return { reporter, reports: () => count, advance: (ns) => (now += ns) };
  };

  it('reports in the first pass', () => {
    const { reporter, reports } = make();
    assert.equal(reporter.poll(64), 0);
    assert.equal(reports(), 1);
    assert.deepEqual(reporter.fds, [7]);
  });

  it('reports once an interval, and looks at the clock every 64th pass only', () => {
    const { reporter, reports, advance } = make();
    reporter.poll(64);
    advance(99);
    for (let i = 0; i < 200; i++) reporter.poll(64);
    assert.equal(reports(), 1, 'before it is time');
    for (let i = 0; i < 63; i++) reporter.poll(64);
    advance(1);
    const before = reports();
    for (let i = 0; i < 64; i++) reporter.poll(64);
    assert.equal(reports(), before + 1);
    for (let i = 0; i < 200; i++) reporter.poll(64);
    assert.equal(reports(), before + 1);
  });

  it('looks at the clock in the pass after a sleep', () => {
    const { reporter, reports, advance } = make();
    reporter.poll(64);
    advance(100);
    reporter.poll(64);
    assert.equal(reports(), 1);
    assert.equal(reporter.arm(), true);
    reporter.poll(64);
    assert.equal(reports(), 2);
  });
});
