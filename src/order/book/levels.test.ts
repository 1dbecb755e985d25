import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LevelWord, ORDER_WORDS, OrderWord } from './layout.ts';
import { Levels } from './levels.ts';
import { Slab } from './slab.ts';

/** Bids 10 and 9 and asks 20 and 21, two orders each. */
function setUp() {
  const orders = new Slab(16, ORDER_WORDS);
  const levels = new Levels(orders.words, 8);
  const all: number[] = [];
  for (const price of [10, 9, 20, 21]) {
    for (const quantity of [3, 4]) {
      const order = orders.take();
      orders.words[order + OrderWord.quantityLo] = quantity;
      orders.words[order + OrderWord.quantityHi] = -1;
      levels.append(levels.at(price < 15 ? 0 : 1, price, 0), order);
      all.push(order);
    }
  }
  levels.audit(8);
  return { levels, orders, all };
}

test('audit() notices any word of a level that is wrong', () => {
  for (const [name, word] of Object.entries(LevelWord)) {
    for (const side of [0, 1]) {
      const { levels } = setUp();
      const level = levels.best(side);
      levels.words[level + word]! += name === 'first' ? ORDER_WORDS : 1;
      assert.throws(() => levels.audit(8), Error, `${name}, side ${side}`);
    }
  }
});

test('audit() notices any word of an order that matters to its level and is wrong', () => {
  for (const name of ['quantityLo', 'quantityHi', 'next', 'previous', 'level'] as const) {
    const { levels, orders, all } = setUp();
    for (const order of all) {
      const at = order + OrderWord[name];
      const right = orders.words[at]!;
      orders.words[at] = name === 'next' ? all[7]! : right + 1;
      if (orders.words[at] !== right) assert.throws(() => levels.audit(8), Error, `${name} of ${order}`);
      orders.words[at] = right;
    }
    levels.audit(8);
  }
});

test('audit() notices an order that was lost, and a crossed book', () => {
  const { levels, orders } = setUp();
  assert.throws(() => levels.audit(9), /instead of 9/);
  const order = orders.take();
  orders.words[order + OrderWord.quantityLo] = 1;
  levels.append(levels.at(0, 30, 0), order);
  assert.throws(() => levels.audit(9), /crossed/);
});
