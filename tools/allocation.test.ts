import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeAllocation } from './allocation.ts';
import { type AllocationResult, LIMIT, measure } from './allocationRun.ts';

const sink: { kept: unknown } = { kept: undefined };
const words = new Int32Array(16);

test('measure() finds no allocation in typed-array arithmetic', () => {
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) words[i & 15] = (words[(i + 1) & 15]! + i) | 0;
  };
  assert.ok(measure({ name: '', covers: [], run }) < LIMIT);
});

test('measure() finds one small object in a hundred operations', () => {
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) if (i % 100 === 0) sink.kept = { i };
  };
  const bytes = measure({ name: '', covers: [], run }, 1);
  assert.ok(bytes > LIMIT && bytes < 1, `${bytes} bytes per operation`);
});

test('measure() divides by the frames that an operation serves', () => {
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) sink.kept = { i };
  };
  const each = measure({ name: '', covers: [], run }, 1);
  const shared = measure({ name: '', covers: [], framesPerOperation: 64, run }, 1);
  assert.ok(Math.abs(shared - each / 64) < 0.1 * shared, `${each} and ${shared} bytes per frame`);
});

test('measure() refuses to divide by more frames than the limit leaves room for', () => {
  const one = { name: 'x', covers: [], framesPerOperation: 65, run: () => {} };
  const message = 'Cannot measure x: framesPerOperation must be 1 to 64, got 65';
  assert.throws(() => measure(one), { name: 'RangeError', message });
});

const result = (over: Partial<AllocationResult>): AllocationResult => ({
  name: 'case',
  covers: [],
  bytes: 0,
  calls: {},
  skip: null,
  ...over,
});

const peek = { id: 'core/Ring.peek', key: 'src/core/ring.ts:90' };
const read = { id: 'ffi/read', key: undefined };

test('judgeAllocation() accepts cases below the limit that cover and call every hot function', () => {
  const covering = result({ covers: ['Ring.peek', 'ffi/read'], calls: { 'src/core/ring.ts:90': 64 } });
  assert.deepEqual(
    judgeAllocation([{ path: 'src/core/a.alloc.ts', results: [covering] }], [peek, read], true),
    [],
  );
});

test('judgeAllocation() names what allocates, what is covered by nothing, and what covers nothing', () => {
  const files = [
    { path: 'src/core/a.alloc.ts', results: [result({ bytes: 8, covers: ['gone'] })] },
    { path: 'src/core/b.alloc.ts', results: [], error: 'Error: broken' },
  ];
  assert.deepEqual(judgeAllocation(files, [peek], false), [
    'src/core/a.alloc.ts: Allocate less in "case": under 0.1 byte per frame, not 8.000',
    'src/core/a.alloc.ts: Remove gone from what "case" covers: no such @hot function',
    'src/core/b.alloc.ts: Mend this file: Error: broken',
    'core/Ring.peek: Cover this @hot function in a case of an *.alloc.ts in its folder',
  ]);
});

test('judgeAllocation() names what is covered and called too seldom to be seen', () => {
  const once = result({ covers: ['Ring.peek'], calls: { 'src/core/ring.ts:90': 63 } });
  assert.deepEqual(judgeAllocation([{ path: 'src/core/a.alloc.ts', results: [once] }], [peek], false), [
    'src/core/a.alloc.ts: Call Ring.peek more often in "case": at least 64 times in 4096 frames, not 63',
  ]);
});

test('judgeAllocation() forgives a skipped case unless it is strict', () => {
  const files = [
    {
      path: 'src/core/a.alloc.ts',
      results: [result({ bytes: null, covers: ['Ring.peek'], skip: 'needs root' })],
    },
  ];
  assert.deepEqual(judgeAllocation(files, [peek], false), []);
  assert.deepEqual(judgeAllocation(files, [peek], true), [
    'src/core/a.alloc.ts: Run "case", which was skipped: needs root',
  ]);
});
