import { OrderBook } from './book/orderBook.ts';
import { TradeSink } from './book/tradeSink.ts';
import { BookHandler, type TradeListener } from './bookHandler.ts';

/** Trades that wait to be drained at most; one order may make so many. */
const TRADE_SINK = 1 << 16;

/**
 * Makes a book for `maxOrders` resting orders, and the handler that feeds and drains it.
 *
 * @param values - of the receiver's counters page
 * @param listener - told of every trade
 */
export function createBook(maxOrders: number, values: Float64Array, listener?: TradeListener): BookHandler {
  const trades = new TradeSink(TRADE_SINK);
  return new BookHandler(new OrderBook({ maxOrders, trades }), trades, values, listener);
}
