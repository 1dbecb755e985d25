import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { LoopSample, LoopStart } from '../lane/index.ts';
import { describeLoop, LoopPrinter, untaggedNote } from './loopPrinter.ts';

const port = (spec: string): LoopStart['ports'][number] => ({
  ...{ spec, via: 'xdp', accelerated: true, mode: 'native mode' },
});
const start: LoopStart = {
  kind: 'start',
  verb: 'l2fwd',
  ports: [port('xdp:a')],
  burst: 64,
  reasons: ['no huge pages'],
};
const sample = (label: string, more: Partial<LoopSample> = {}): LoopSample => ({
  ...{ kind: 'sample', label, burst: 64, seconds: 1, rxPps: 1_234_567, txPps: 0, rxMbps: 12.4, txMbps: 0 },
  ...{ dropsPerSecond: 5, drops: { txFull: 5 }, untagged: 0 },
  ...more,
});

/** Collects what is printed. */
function printed(t: TestContext): { out: string[]; err: string[] } {
  const [out, err]: [string[], string[]] = [[], []];
  t.mock.method(console, 'log', (line: string) => out.push(line));
  t.mock.method(console, 'error', (line: string) => err.push(line));
  return { out, err };
}

describe('describeLoop()', () => {
  it('names the ports, and says of two whether frames are copied', () => {
    assert.equal(describeLoop(start), 'l2fwd on xdp:a (native mode)');
    const two = { ...start, ports: [port('xdp:a'), port('xdp:b')] };
    const both = 'l2fwd on xdp:a (native mode) and xdp:b (native mode)';
    assert.equal(
      describeLoop({ ...two, copies: false }),
      `${both}; no frame is copied from one to the other`,
    );
    assert.equal(describeLoop({ ...two, copies: true }), `${both}; frames are copied from one to the other`);
  });
});

describe('untaggedNote()', () => {
  it('tells of tags that were lost, and of nothing else', () => {
    assert.equal(untaggedNote(sample('1')), undefined);
    assert.match(
      untaggedNote(sample('1', { untagged: 1200 }))!,
      /^1,200 frames went on without the VLAN tag/,
    );
  });
});

describe('LoopPrinter', () => {
  it('prints a line a second, with drops by reason, and a note on lost tags at the end', (t) => {
    const { out, err } = printed(t);
    const printer = new LoopPrinter(false);
    printer.print(start);
    printer.print(sample('1', { untagged: 2 }));
    printer.print(sample('all', { untagged: 3, wakeupsPerSecond: 7 }));
    assert.deepEqual(out, [
      '   second       rx pps       tx pps  rx Mbit/s  tx Mbit/s   wake-ups      drops',
      '        1    1,234,567            0         12          0          -          5  txFull 5',
      '      all    1,234,567            0         12          0          7          5  txFull 5',
    ]);
    assert.deepEqual(err.slice(0, 2), ['l2fwd on xdp:a (native mode)', 'no huge pages']);
    assert.match(err[2]!, /^3 frames went on without/);
    assert.equal(err.length, 3);
  });

  it('of a sweep says once how the loops run, and what is new with a burst', (t) => {
    const { out, err } = printed(t);
    const printer = new LoopPrinter(true);
    for (const reasons of [['one'], ['one'], ['one', 'two']]) printer.print({ ...start, reasons });
    assert.deepEqual(err, ['l2fwd on xdp:a (native mode)', 'one', 'two']);
    assert.equal(out.length, 1);
    assert.match(out[0]!, /^ +burst /);
  });
});
