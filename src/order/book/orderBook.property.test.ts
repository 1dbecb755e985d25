import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { highHalf, lowHalf } from '../decimal.ts';
import { OrderError, OrderRecord } from '../order.ts';
import { OrderBook } from './orderBook.ts';
import { PriceLevel } from './priceLevel.ts';
import { Trade, TradeSink } from './tradeSink.ts';

const SOAK = process.env.BAREWIRE_SOAK === '1';
const MAX = 2n ** 64n - 1n;

interface Resting {
  id: bigint;
  side: number;
  price: bigint;
  quantity: bigint;
}

interface Limits {
  readonly maxOrders: number;
  readonly maxLevels: number;
  readonly maxTrades: number;
}

type Fill = readonly [makerId: bigint, takerId: bigint, price: bigint, quantity: bigint, takerSide: number];

type Operation = { readonly do: 'submit' | 'cancel' | 'drain' } & Resting;

/** The book as one would write it down in a minute: a list in order of arrival, searched from the start each time. */
class NaiveBook {
  resting: Resting[] = [];
  trades: Fill[] = [];
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  submit({ id, side, price, quantity }: Resting): number {
    if (side > 1) return OrderError.badSide;
    if (quantity === 0n) return OrderError.zeroQuantity;
    if (this.resting.some((order) => order.id === id)) return OrderError.duplicateId;
    const sign = side === 0 ? 1n : -1n;
    const makers = this.resting
      .filter((order) => order.side !== side && (price - order.price) * sign >= 0n)
      .sort((a, b) => (a.price === b.price ? 0 : a.price < b.price === (side === 0) ? -1 : 1));
    const fills: { maker: Resting; quantity: bigint }[] = [];
    let left = quantity;
    for (const maker of makers) {
      if (left === 0n) break;
      const traded = left < maker.quantity ? left : maker.quantity;
      fills.push({ maker, quantity: traded });
      left -= traded;
    }
    if (fills.length > this.#limits.maxTrades) return OrderError.sweepTooLong;
    if (fills.length > this.#limits.maxTrades - this.trades.length) return OrderError.tradesFull;
    if (fills.length === 0 && this.resting.length === this.#limits.maxOrders) return OrderError.bookFull;
    const prices = new Set(this.resting.map((order) => order.price));
    if (fills.length === 0 && !prices.has(price) && prices.size === this.#limits.maxLevels) {
      return OrderError.levelsFull;
    }
    for (const { maker, quantity: traded } of fills) {
      this.trades.push([maker.id, id, maker.price, traded, side]);
      maker.quantity -= traded;
    }
    this.resting = this.resting.filter((order) => order.quantity > 0n);
    if (left > 0n) this.resting.push({ id, side, price, quantity: left });
    return fills.length;
  }

  cancel(id: bigint): number {
    const index = this.resting.findIndex((order) => order.id === id);
    if (index < 0) return OrderError.unknownId;
    this.resting.splice(index, 1);
    return 0;
  }

  depth(side: number): [price: bigint, quantity: bigint, orders: number][] {
    const levels = new Map<bigint, [bigint, bigint, number]>();
    for (const order of this.resting) {
      if (order.side !== side) continue;
      const level = levels.get(order.price) ?? [order.price, 0n, 0];
      levels.set(order.price, [order.price, level[1] + order.quantity, level[2] + 1]);
    }
    return [...levels.values()].sort((a, b) => (a[0] < b[0] === (side === 1) ? -1 : 1));
  }
}

/** The real book and the naive one, fed alike; every step compares what they say and show. */
class Pair {
  readonly naive: NaiveBook;
  readonly book: OrderBook;
  readonly #sink: TradeSink;
  readonly #order = new OrderRecord();
  readonly #levels: readonly PriceLevel[];
  #sequence = 0;

  constructor(limits: Limits) {
    this.naive = new NaiveBook(limits);
    this.#sink = new TradeSink(limits.maxTrades);
    this.book = new OrderBook({ ...limits, trades: this.#sink });
    this.#levels = Array.from({ length: limits.maxLevels }, () => new PriceLevel());
  }

  step(operation: Operation): number {
    if (operation.do === 'drain') {
      this.drain();
      return 0;
    }
    if (operation.do === 'cancel') {
      const code = this.book.cancel(lowHalf(operation.id), highHalf(operation.id));
      assert.equal(code, this.naive.cancel(operation.id));
      return code;
    }
    const { id, side, price, quantity } = operation;
    const code = this.book.submit(Object.assign(this.#order, { id, side, price, quantity }));
    assert.equal(code, this.naive.submit(operation));
    return code;
  }

  drain(): void {
    const trades: Fill[] = [];
    for (const trade = new Trade(); this.#sink.take(trade); ) {
      trades.push([trade.makerId, trade.takerId, trade.price, trade.quantity, trade.takerSide]);
      this.#sequence++;
      assert.equal(trade.sequence, this.#sequence);
    }
    assert.deepEqual(trades, this.naive.trades);
    this.naive.trades = [];
  }

  compare(): void {
    assert.equal(this.book.resting, this.naive.resting.length);
    for (const side of [0, 1] as const) {
      const wanted = this.naive.depth(side);
      const count = this.book.depth(side, this.#levels);
      const levels = this.#levels.slice(0, count).map((level) => [level.price, level.quantity, level.orders]);
      assert.deepEqual(levels, wanted);
      assert.equal(this.book.levelCount(side), wanted.length);
      const best = new PriceLevel();
      assert.equal(side === 0 ? this.book.bestBid(best) : this.book.bestAsk(best), wanted.length > 0);
      if (wanted.length > 0) assert.deepEqual([best.price, best.quantity, best.orders], wanted[0]);
    }
  }

  /** Takes all that rests, one order at a time: the trades show who stood where in each queue. */
  finish(): void {
    this.book.audit();
    let id = 2n ** 50n;
    for (const side of [0, 1]) {
      for (let best = this.naive.depth(1 - side)[0]; best; best = this.naive.depth(1 - side)[0]) {
        const [price] = best;
        const { quantity } = this.naive.resting.find((order) => order.price === price)!;
        this.drain();
        assert.equal(this.step({ do: 'submit', id, side, price, quantity }), 1);
        id++;
      }
    }
    this.drain();
    this.compare();
    assert.equal(this.book.resting, 0);
    this.book.audit();
  }
}

const EDGES = [0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, MAX - 1n, MAX];
const edge = fc.constantFrom(...EDGES);
const price = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 100n, max: 108n }) },
  { weight: 2, arbitrary: edge },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: MAX }) },
);
const quantity = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 1n, max: 20n }) },
  { weight: 3, arbitrary: edge },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: MAX }) },
);
const id = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 30n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 12n }).map((value) => (value << 32n) | 5n) },
  { weight: 1, arbitrary: edge },
);
const side = fc.constantFrom(0, 0, 0, 1, 1, 1, 2);
const what = fc.constantFrom('submit', 'submit', 'submit', 'submit', 'cancel', 'drain');
const operation: fc.Arbitrary<Operation> = fc.record({ do: what, id, side, price, quantity });
const limits: fc.Arbitrary<Limits> = fc.record({
  maxOrders: fc.integer({ min: 1, max: 24 }),
  maxLevels: fc.integer({ min: 1, max: 24 }),
  maxTrades: fc.constantFrom(1, 2, 4, 64),
});

test('the book agrees with a naive BigInt model on every code, trade and level, at every edge of u64', () => {
  fc.assert(
    fc.property(limits, fc.array(operation, { minLength: 40, maxLength: 160 }), (spec, operations) => {
      const pair = new Pair(spec);
      for (const one of operations) {
        pair.step(one);
        pair.compare();
      }
      pair.finish();
    }),
    { numRuns: SOAK ? 20_000 : 200 },
  );
});

test('a book that lives long agrees with the model on every code and trade', () => {
  const operations = SOAK ? 1_000_000 : 15_000;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const pair = new Pair({ maxOrders: 100, maxLevels: 40, maxTrades: 64 });
      let state = seed | 1;
      const random = (below: number): number => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % below;
      };
      const seen = new Map<number, number>();
      for (let i = 0; i < operations; i++) {
        const code = pair.step({
          do: random(4) === 0 ? 'cancel' : 'submit',
          id: BigInt(random(400)) * 0x1_0000_0001n,
          side: random(2),
          price: BigInt(2 ** 32 - 30 + random(60)),
          quantity: BigInt(1 + random(50)) << BigInt(random(59)),
        });
        seen.set(code, (seen.get(code) ?? 0) + 1);
        if (i % 16 === 0) pair.drain();
        if (i % 512 === 0) pair.compare();
      }
      pair.finish();
      const wanted = [0, 1, 2, OrderError.duplicateId, OrderError.levelsFull, OrderError.unknownId];
      assert.deepEqual(
        wanted.filter((code) => !seen.has(code)),
        [],
      );
    }),
    { numRuns: 1 },
  );
});
