import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameError, frameErrorHelp, frameErrorNames } from './frameError.ts';

test('frameErrorNames has each name at its negated code, and nothing else', () => {
  assert.equal(frameErrorNames[0], 'accepted');
  for (const [name, code] of Object.entries(FrameError)) assert.equal(frameErrorNames[-code], name);
  assert.equal(frameErrorNames.length, Object.keys(FrameError).length + 1);
});

test('frameErrorHelp explains every counter in words of its own', () => {
  assert.deepEqual(Object.keys(frameErrorHelp), frameErrorNames);
  assert.equal(new Set(Object.values(frameErrorHelp)).size, frameErrorNames.length);
});
