import assert from 'node:assert/strict';
import { test } from 'node:test';
import { highHalf, lowHalf, parseDecimal } from '../decimal.ts';
import { OrderError, OrderRecord, Side } from '../order.ts';
import { MAX_ORDERS, OrderBook, type OrderBookSpec } from './orderBook.ts';
import { PriceLevel } from './priceLevel.ts';
import { Trade, TradeSink } from './tradeSink.ts';

const MAX = 2n ** 64n - 1n;

function setUp(maxTrades = 8, spec: Partial<OrderBookSpec> = {}) {
  const trades = new TradeSink(maxTrades);
  const book = new OrderBook({ maxOrders: 8, trades, ...spec });
  const order = new OrderRecord();
  const level = new PriceLevel();
  const submit = (id: bigint, side: number, price: bigint, quantity: bigint): number =>
    book.submit(Object.assign(order, { id, side, price, quantity }));
  return {
    book,
    buy: (id: bigint, price: bigint, quantity: bigint) => submit(id, Side.buy, price, quantity),
    sell: (id: bigint, price: bigint, quantity: bigint) => submit(id, Side.sell, price, quantity),
    submit,
    cancel: (id: bigint) => book.cancel(lowHalf(id), highHalf(id)),
    bid: () => (book.bestBid(level) ? [level.price, level.quantity, level.orders] : null),
    ask: () => (book.bestAsk(level) ? [level.price, level.quantity, level.orders] : null),
    drain: () => {
      const all: bigint[][] = [];
      for (const trade = new Trade(); trades.take(trade); ) {
        all.push([trade.makerId, trade.takerId, trade.price, trade.quantity]);
      }
      return all;
    },
  };
}

test('submit() trades with the best price first, then with the oldest order, at the price of the one that rested', () => {
  const { book, buy, sell, drain, ask, bid } = setUp();
  sell(1n, 102n, 5n);
  sell(2n, 101n, 5n);
  sell(3n, 101n, 5n);
  assert.equal(buy(4n, 102n, 12n), 3);
  assert.deepEqual(drain(), [
    [2n, 4n, 101n, 5n],
    [3n, 4n, 101n, 5n],
    [1n, 4n, 102n, 2n],
  ]);
  assert.deepEqual(ask(), [102n, 3n, 1]);
  assert.equal(bid(), null);
  assert.equal(book.resting, 1);
});

test('submit() lets what is left of an order rest at its limit', () => {
  const { buy, sell, ask, bid, drain } = setUp();
  buy(1n, parseDecimal('100.5'), parseDecimal('2'));
  assert.equal(sell(2n, parseDecimal('100.25'), parseDecimal('3')), 1);
  assert.deepEqual(drain(), [[1n, 2n, parseDecimal('100.5'), parseDecimal('2')]]);
  assert.deepEqual(ask(), [parseDecimal('100.25'), parseDecimal('1'), 1]);
  assert.equal(bid(), null);
});

test('an order that was partly filled keeps its place in the queue', () => {
  const { buy, sell, drain } = setUp();
  buy(1n, 100n, 10n);
  buy(2n, 100n, 10n);
  sell(3n, 100n, 4n);
  sell(4n, 100n, 7n);
  assert.deepEqual(drain(), [
    [1n, 3n, 100n, 4n],
    [1n, 4n, 100n, 6n],
    [2n, 4n, 100n, 1n],
  ]);
});

test('a level sums up quantities far beyond u64, and back again', () => {
  const { buy, bid, cancel } = setUp();
  for (let id = 1n; id <= 8n; id++) assert.equal(buy(id, MAX, MAX), 0);
  assert.deepEqual(bid(), [MAX, 8n * MAX, 8]);
  for (let id = 1n; id <= 7n; id++) assert.equal(cancel(id), 0);
  assert.deepEqual(bid(), [MAX, MAX, 1]);
});

test('prices of 0 and of 2^64 - 1 are prices like any other', () => {
  const { buy, sell, bid, ask, drain } = setUp();
  buy(1n, 0n, 1n);
  sell(2n, MAX, 1n);
  assert.deepEqual(
    [bid(), ask()],
    [
      [0n, 1n, 1],
      [MAX, 1n, 1],
    ],
  );
  sell(3n, 0n, 1n);
  buy(4n, MAX, 1n);
  assert.deepEqual(drain(), [
    [1n, 3n, 0n, 1n],
    [2n, 4n, MAX, 1n],
  ]);
});

test('submit() refuses a bad side and a quantity of 0', () => {
  const { book, submit } = setUp();
  for (const side of [2, -1, 0.5, Number.NaN]) assert.equal(submit(1n, side, 1n, 1n), OrderError.badSide);
  assert.equal(submit(1n, Side.buy, 1n, 0n), OrderError.zeroQuantity);
  assert.equal(book.resting, 0);
});

test('submit() refuses the id of a resting order, on either side, and takes it again after that has left', () => {
  const { buy, sell, cancel } = setUp();
  buy(1n, 100n, 1n);
  assert.equal(buy(1n, 99n, 1n), OrderError.duplicateId);
  assert.equal(sell(1n, 100n, 1n), OrderError.duplicateId);
  cancel(1n);
  assert.equal(buy(1n, 99n, 1n), 0);
  assert.equal(sell(2n, 99n, 1n), 1);
  assert.equal(sell(1n, 99n, 1n), 0);
});

test('ids that differ in either half only are different orders', () => {
  const { book, buy, cancel } = setUp();
  buy(1n, 100n, 1n);
  assert.equal(buy(1n | (1n << 32n), 100n, 1n), 0);
  assert.equal(buy(1n << 32n, 100n, 1n), 0);
  assert.equal(book.resting, 3);
  assert.equal(cancel(1n | (1n << 33n)), OrderError.unknownId);
});

test('cancel() takes halves as int32 and as u32', () => {
  const { book, buy } = setUp();
  buy(MAX, 1n, 1n);
  assert.equal(book.cancel(0xffff_ffff, 0xffff_ffff), 0);
  buy(MAX, 1n, 1n);
  assert.equal(book.cancel(-1, -1), 0);
  assert.equal(book.cancel(-1, -1), OrderError.unknownId);
});

test('a full book refuses what would rest and still matches what trades first', () => {
  const { book, buy, sell } = setUp(8, { maxOrders: 2 });
  buy(1n, 100n, 1n);
  buy(2n, 99n, 1n);
  assert.equal(buy(3n, 98n, 1n), OrderError.bookFull);
  assert.equal(sell(4n, 101n, 1n), OrderError.bookFull);
  assert.equal(sell(5n, 100n, 5n), 1);
  assert.equal(book.resting, 2);
  book.audit();
});

test('a full level table refuses a new price and takes known ones', () => {
  const { book, buy, sell } = setUp(8, { maxLevels: 1 });
  buy(1n, 100n, 1n);
  assert.equal(buy(2n, 99n, 1n), OrderError.levelsFull);
  assert.equal(buy(3n, 100n, 1n), 0);
  assert.equal(sell(4n, 101n, 1n), OrderError.levelsFull);
  assert.equal(sell(5n, 100n, 3n), 2);
  assert.equal(book.levelCount(Side.buy), 0);
  assert.equal(book.levelCount(Side.sell), 1);
  book.audit();
});

test('a full trade sink pushes back: nothing changes until it is drained and the order comes again', () => {
  const { book, buy, sell, drain, ask } = setUp(2);
  for (const id of [1n, 2n, 3n]) sell(id, 100n, 1n);
  assert.equal(buy(4n, 100n, 1n), 1);
  assert.equal(buy(5n, 100n, 2n), OrderError.tradesFull);
  assert.deepEqual(ask(), [100n, 2n, 2]);
  book.audit();
  assert.deepEqual(drain(), [[1n, 4n, 100n, 1n]]);
  assert.equal(buy(5n, 100n, 2n), 2);
  assert.deepEqual(drain(), [
    [2n, 5n, 100n, 1n],
    [3n, 5n, 100n, 1n],
  ]);
});

test('an order with more trades than the sink holds is refused for good, and cancels go on', () => {
  const { book, buy, sell, cancel } = setUp(2);
  for (const id of [1n, 2n, 3n]) sell(id, 100n + id, 1n);
  assert.equal(buy(4n, 103n, 3n), OrderError.sweepTooLong);
  assert.equal(cancel(1n), 0);
  assert.equal(buy(4n, 103n, 3n), 2);
  book.audit();
});

test('depth() reads the best levels first, as many as fit or are wanted', () => {
  const { book, buy } = setUp();
  for (const price of [5n, 7n, 6n, 4n]) buy(price, price, 10n * price);
  buy(9n, 7n, 1n);
  const out = Array.from({ length: 3 }, () => new PriceLevel());
  const read = (maxLevels?: number) => {
    const count = book.depth(Side.buy, out, maxLevels);
    return out.slice(0, count).map(({ price, quantity, orders }) => [price, quantity, orders]);
  };
  assert.deepEqual(read(), [
    [7n, 71n, 2],
    [6n, 60n, 1],
    [5n, 50n, 1],
  ]);
  assert.deepEqual(read(2), [
    [7n, 71n, 2],
    [6n, 60n, 1],
  ]);
  assert.equal(book.depth(Side.buy, out, 99), 3);
  assert.equal(book.depth(Side.sell, out), 0);
});

test('a book of impossible size is refused by name', () => {
  const trades = new TradeSink(1);
  for (const wrong of [0, -1, 1.5, Number.NaN, MAX_ORDERS + 1]) {
    assert.throws(() => new OrderBook({ maxOrders: wrong, trades }), new RegExp(`maxOrders .* got ${wrong}`));
    assert.throws(
      () => new OrderBook({ maxOrders: 1, maxLevels: wrong, trades }),
      new RegExp(`maxLevels .* got ${wrong}`),
    );
  }
});
