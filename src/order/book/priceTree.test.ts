import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { highHalf, joinHalves, lowHalf } from '../decimal.ts';
import { LEVEL_WORDS, LevelWord } from './layout.ts';
import { PriceTree } from './priceTree.ts';
import { Slab } from './slab.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;
const CAPACITY = 64;
const price = fc.oneof(
  fc.bigInt({ min: 0n, max: 40n }),
  fc.nat(63).map((bit) => 1n << BigInt(bit)),
  fc.nat(40).map((i) => 2n ** 64n - 1n - BigInt(i)),
  fc.nat(40).map((i) => 2n ** 32n - 20n + BigInt(i)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

function plant(slab: Slab, tree: PriceTree, side: number, value: bigint): number {
  const level = slab.take();
  slab.words[level + LevelWord.priceLo] = lowHalf(value);
  slab.words[level + LevelWord.priceHi] = highHalf(value);
  slab.words[level + LevelWord.side] = side;
  tree.add(level);
  return level;
}

function pricesFromTheTop(slab: Slab, tree: PriceTree, side: number): bigint[] {
  const prices: bigint[] = [];
  for (let level = tree.best(side); level >= 0; level = slab.words[level + LevelWord.worse]!) {
    prices.push(joinHalves(slab.words[level + LevelWord.priceLo]!, slab.words[level + LevelWord.priceHi]!));
  }
  return prices;
}

test('levels stay in order, bids from the highest and asks from the lowest, for any prices', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(price, fc.nat(1)), { maxLength: 150 }), (operations) => {
      const slab = new Slab(CAPACITY, LEVEL_WORDS);
      const tree = new PriceTree(slab);
      const model = [new Map<bigint, number>(), new Map<bigint, number>()] as const;
      for (const [value, side] of operations) {
        const sideModel = model[side]!;
        const level = sideModel.get(value);
        if (level !== undefined) {
          tree.remove(level);
          slab.give(level);
          sideModel.delete(value);
        } else if (!slab.full) sideModel.set(value, plant(slab, tree, side, value));
      }
      for (const side of [0, 1]) {
        const wanted = [...model[side]!.keys()].sort((a, b) => (a < b === (side === 1) ? -1 : 1));
        assert.deepEqual(pricesFromTheTop(slab, tree, side), wanted);
        tree.audit(side, wanted.length);
      }
    }),
    { numRuns: NUM_RUNS },
  );
});

test('the deepest tree there is, powers of two, holds and empties from either end', () => {
  for (const fromTop of [true, false]) {
    const slab = new Slab(65, LEVEL_WORDS);
    const tree = new PriceTree(slab);
    const levels = [0n, ...Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit))].map((value) =>
      plant(slab, tree, 1, value),
    );
    tree.audit(1, 65);
    if (!fromTop) levels.reverse();
    levels.forEach((level, i) => {
      tree.remove(level);
      tree.audit(1, 64 - i);
    });
    assert.equal(tree.best(1), -1);
  }
});
