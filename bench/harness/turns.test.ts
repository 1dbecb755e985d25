import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('Turns lets one work at a time, round and round', async () => {
  const turns = new Turns();
  const log: string[] = [];
  let working = 0;
  const work = async (name: string, rounds: number): Promise<void> => {
    await turns.take();
    for (let round = 0; round < rounds; round++) {
      working++;
      assert.equal(working, 1);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(name);
      working--;
      turns.give();
      await turns.take();
    }
    turns.give();
  };
  await Promise.all([work('a', 3), work('b', 1), work('c', 2)]);
  assert.equal(log.join(''), 'abcaca');
});

test('Turns is free again when all have had theirs', async () => {
  const turns = new Turns();
  await turns.take();
  turns.give();
  await turns.take();
});
