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

const result = (over: Partial<AllocationResult>): AllocationResult => ({
  name: 'case',
  covers: [],
  bytes: 0,
  skip: null,
  ...over,
});

test('judgeAllocation() accepts cases below the limit that cover every hot function', () => {
  const files = [{ path: 'src/core/a.alloc.ts', results: [result({ covers: ['Ring.peek', 'wire/check'] })] }];
  assert.deepEqual(judgeAllocation(files, ['core/Ring.peek', 'wire/check'], true), []);
});

test('judgeAllocation() names what allocates, what is covered by nothing, and what covers nothing', () => {
  const files = [
    { path: 'src/core/a.alloc.ts', results: [result({ bytes: 8, covers: ['gone'] })] },
    { path: 'src/core/b.alloc.ts', results: [], error: 'Error: broken' },
  ];
  assert.deepEqual(judgeAllocation(files, ['core/f'], false), [
    'src/core/a.alloc.ts: Allocate less in "case": under 0.1 byte per operation, not 8.000',
    'src/core/a.alloc.ts: Remove gone from what "case" covers: no such @hot function',
    'src/core/b.alloc.ts: Mend this file: Error: broken',
    'core/f: Cover this @hot function in a case of an *.alloc.ts in its folder',
  ]);
});

test('judgeAllocation() forgives a skipped case unless it is strict', () => {
  const files = [{ path: 'src/xdp/a.alloc.ts', results: [result({ bytes: null, skip: 'needs root' })] }];
  assert.deepEqual(judgeAllocation(files, [], false), []);
  assert.deepEqual(judgeAllocation(files, [], true), [
    'src/xdp/a.alloc.ts: Run "case", which was skipped: needs root',
  ]);
});
