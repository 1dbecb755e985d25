import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSender } from './startSender.ts';

const orders = { parent: process.pid, address: '127.0.0.1', udpPort: 9, rate: 1000, seconds: 0.1, seed: 1 };

test('a sender that fails says why in one line, without its stack', async () => {
  const { done } = startSender({ ...orders, netns: '/nowhere' });
  await assert.rejects(done, {
    message:
      'Cannot go on with the demo: its order source ended with exit code 1. Cannot open network namespace /nowhere: ENOENT',
  });
});

test('a sender that is killed says by what', async () => {
  const { done, kill } = startSender(orders);
  kill();
  await assert.rejects(done, { message: 'Cannot go on with the demo: its order source ended with SIGKILL' });
});
