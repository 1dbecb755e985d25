import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { callKey, countCalls } from './countCalls.ts';

// „Ä“, and 𝄞 of two units: V8 and the parser count UTF-16 units, not bytes.
const called = (x: number): number => x + 1;
const resting = (x: number): number => x - 1;

const path = fileURLToPath(import.meta.url);
const text = readFileSync(path, 'utf8');

/** Where the first function whose text ends so ends itself. */
const endOf = (ending: string): number => text.indexOf(ending) + ending.length;

test('countCalls() counts the calls of each function, and no calls made before or after', async () => {
  called(1);
  const calls = await countCalls(dirname(path), () => {
    for (let i = 0; i < 100; i++) called(i);
  });
  called(resting(2));
  assert.equal(calls[callKey('countCalls.test.ts', endOf('=> x + 1'))], 100);
  assert.equal(calls[callKey('countCalls.test.ts', endOf('=> x - 1'))], undefined);
});

test('countCalls() leaves out the files of other directories', async () => {
  const calls = await countCalls(`${dirname(path)}/elsewhere`, () => called(1));
  assert.deepEqual(calls, {});
});
