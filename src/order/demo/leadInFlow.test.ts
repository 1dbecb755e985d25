import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OrderBook, Trade, TradeSink } from '../book/index.ts';
import { OrderRecord } from '../order.ts';
import { LEAD_IN_ROUND, LeadInFlow } from './leadInFlow.ts';

test('LeadInFlow leaves the book empty after each round, having filled orders whole and in part', () => {
  const trades = new TradeSink(1024);
  const book = new OrderBook({ maxOrders: LEAD_IN_ROUND, trades });
  const flow = new LeadInFlow();
  const order = new OrderRecord();
  const trade = new Trade();
  for (let round = 0; round < 3; round++) {
    let fullest = 0;
    let made = 0;
    let most = 0;
    for (let i = 0; i < LEAD_IN_ROUND; i++) {
      flow.next(order);
      const count = book.submit(order);
      assert.ok(count >= 0, `refused with ${count}`);
      made += count;
      most = Math.max(most, count);
      fullest = Math.max(fullest, book.resting);
      while (trades.take(trade)) {}
    }
    assert.equal(book.resting, 0);
    assert.equal(fullest, LEAD_IN_ROUND / 2);
    assert.ok(made > LEAD_IN_ROUND / 2, 'no order was filled in part');
    assert.ok(most > 1, 'no order took several');
  }
});
