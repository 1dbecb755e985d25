import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_TRADES, Trade, TradeSink } from './tradeSink.ts';

test('take() gives back what push() put in, oldest first, across many turns of the ring', () => {
  const sink = new TradeSink(4);
  const trade = new Trade();
  for (let i = 0; i < 100; i++) {
    sink.push(i, ~i, i + 1, 2, 3, -4, 5, i, i & 1);
    sink.push(-1, -1, -1, -1, -1, -1, -1, -1, 0);
    assert.equal(sink.count, 2);
    assert.ok(sink.take(trade));
    const { makerIdLo, makerIdHi, takerIdLo, takerIdHi, priceLo, priceHi, quantityLo, quantityHi } = trade;
    assert.deepEqual([makerIdLo, makerIdHi, takerIdLo, takerIdHi], [i, ~i, i + 1, 2]);
    assert.deepEqual([priceLo, priceHi, quantityLo, quantityHi], [3, -4, 5, i]);
    assert.equal(trade.takerSide, i & 1);
    assert.equal(trade.sequence, 2 * i + 1);
    assert.ok(sink.take(trade));
    assert.equal(trade.makerId, 2n ** 64n - 1n);
    assert.equal(trade.takerId, 2n ** 64n - 1n);
    assert.equal(trade.price, 2n ** 64n - 1n);
    assert.equal(trade.quantity, 2n ** 64n - 1n);
    assert.equal(trade.sequence, 2 * i + 2);
  }
});

test('take() from an empty sink says so and leaves the trade alone', () => {
  const trade = new Trade();
  trade.makerIdLo = 9;
  assert.equal(new TradeSink(1).take(trade), false);
  assert.equal(trade.makerIdLo, 9);
});

test('a sink of a size that is no power of two up to the largest is refused', () => {
  for (const capacity of [0, 3, -4, 1.5, Number.NaN, 2 * MAX_TRADES]) {
    assert.throws(
      () => new TradeSink(capacity),
      new RegExp(`power of two up to ${MAX_TRADES}, got ${capacity}`),
    );
  }
});
