import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocationSlope } from './allocationSlope.ts';

const words = new Int32Array(16);
let kept: unknown;

test('allocationSlope() finds nothing in typed-array arithmetic', () => {
  const slope = allocationSlope((count) => {
    for (let i = 0; i < count; i++) words[i & 15] = (words[(i + 1) & 15]! + i) | 0;
  });
  assert.ok(slope < 0.02, `${slope} bytes per operation`);
});

test('allocationSlope() finds a small object in every hundredth operation', () => {
  const slope = allocationSlope((count) => {
    for (let i = 0; i < count; i++) if (i % 100 === 0) kept = { i };
  });
  assert.ok(slope > 0.1 && slope < 1, `${slope} bytes per operation`);
  assert.ok(kept !== undefined);
});

test('allocationSlope() sees an object in every hundredth operation behind 32 MB that are allocated once', () => {
  let calls = 0;
  const slope = allocationSlope((count) => {
    const once = ++calls === 2 ? 2_000_000 : 0;
    for (let i = 0; i < once; i++) kept = { i };
    for (let i = 0; i < count; i++) if (i % 100 === 0) kept = { i };
  });
  assert.ok(slope > 0.1, `${slope} bytes per operation`);
});
