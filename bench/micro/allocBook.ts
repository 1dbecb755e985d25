/**
 * The book of the `alloc` case. An operation is an order, which trades or rests, or the cancellation of an older one
 * that may have traded meanwhile; each order is followed by looks at the book.
 */
import { OrderBook, OrderRecord, PriceLevel, Side, Trade, TradeSink } from '../../src/order/index.ts';
import { allocationSlope } from '../harness/allocationSlope.ts';
import { serve } from '../harness/isolate.ts';
import { scramble } from './scramble.ts';

/** Orders younger than this are not cancelled. */
const CANCEL_AFTER = 4096;
/** Prices around 100.00000000, the same 256 for both sides. */
const MID = 100e8;
const LEVELS = 256;

const trades = new TradeSink(8192);
const book = new OrderBook({ maxOrders: CANCEL_AFTER, trades });
const order = new OrderRecord();
const trade = new Trade();
const best = new PriceLevel();
const top = Array.from({ length: 5 }, () => new PriceLevel());
let number = 0;

serve(() => allocationSlope(operate));

function operate(count: number): void {
  let traded = 0;
  for (let done = 0; done < count; done += 2) {
    number = (number + 1) | 0;
    const bits = scramble(number);
    order.side = number & 1;
    order.idLo = number;
    order.idHi = -1;
    order.priceLo = (MID + (bits & (LEVELS - 1))) | 0;
    order.priceHi = (MID / 0x1_0000_0000) | 0;
    order.quantityLo = (bits >>> 8) | 1;
    book.cancel((number - CANCEL_AFTER) | 0, -1);
    if (book.submit(order) < 0) throw new Error('Cannot trust the figure: an order was refused');
    while (trades.take(trade)) traded++;
    book.bestBid(best);
    book.depth(Side.sell, top);
  }
  if (traded === 0) throw new Error('Cannot trust the figure: no order traded');
}
