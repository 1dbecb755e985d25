import { joinHalves } from '../decimal.ts';
import { LevelWord, OrderWord } from './layout.ts';

/**
 * Checks the levels of one side from `best` on, and the queue of each; for tests.
 *
 * @param levels - the records of the levels
 * @param orders - the records of the orders
 * @returns orders on the side
 * @throws Error that names what is wrong
 */
export function auditSide(side: number, best: number, levels: Int32Array, orders: Int32Array): number {
  let count = 0;
  let better: bigint | undefined;
  for (let level = best; level >= 0; level = levels[level + LevelWord.worse]!) {
    if (levels[level + LevelWord.side] !== side) throw new Error(`Level ${level} is on the wrong side`);
    const price = u64At(levels, level + LevelWord.priceLo);
    if (better !== undefined && (side === 0 ? price >= better : price <= better)) {
      throw new Error(`Level ${level} is out of order`);
    }
    better = price;
    count += auditQueue(level, levels, orders);
  }
  return count;
}

function auditQueue(level: number, levels: Int32Array, orders: Int32Array): number {
  let count = 0;
  let sum = 0n;
  let last = -1;
  for (let order = levels[level + LevelWord.first]!; order >= 0; order = orders[order + OrderWord.next]!) {
    if (orders[order + OrderWord.level] !== level) throw new Error(`Order ${order} names a wrong level`);
    if (orders[order + OrderWord.previous] !== last)
      throw new Error(`Order ${order} has a wrong place in its queue`);
    const quantity = u64At(orders, order + OrderWord.quantityLo);
    if (quantity === 0n) throw new Error(`Order ${order} has nothing left`);
    sum += quantity;
    last = order;
    count++;
  }
  const counted = levels[level + LevelWord.orders]!;
  if (count === 0 || count !== counted)
    throw new Error(`Level ${level} counts ${counted} orders instead of ${count}`);
  if (last !== levels[level + LevelWord.last]) throw new Error(`Level ${level} has a wrong last order`);
  const high = joinHalves(levels[level + LevelWord.totalHi]!, 0);
  const total = (high << 64n) | u64At(levels, level + LevelWord.totalLo);
  if (total !== sum) throw new Error(`Level ${level} sums up to ${total} instead of ${sum}`);
  return count;
}

function u64At(words: Int32Array, at: number): bigint {
  return joinHalves(words[at]!, words[at + 1]!);
}
