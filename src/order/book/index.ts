/**
 * order/book: a limit order book in typed arrays.
 *
 * - {@link OrderBook}: matches by price, then time; every call is done completely or refused with a reason.
 * - {@link TradeSink}: the ring that trades go to; it pushes back rather than lose one.
 * - {@link PriceLevel}, {@link Trade}: what views and sink fill; made by the caller, once.
 *
 * Inside: orders and levels are records of int32 words in slabs (layout.ts draws them). An id leads to its order and a
 * price to its level through hash tables that delete without tombstones; each level queues its orders in a linked
 * list; a crit-bit tree per side keeps levels in order of price and chains them from best to worst.
 *
 * Invariants, which `audit()` checks: a level exists exactly while it has an order, and its total is the exact sum of
 * what these have left; the best bid is below the best ask; orders, table, tree and chain agree.
 *
 * No operation depends on how many orders rest or how prices are spread, but for the tree's descent (at most 64 steps)
 * when a price is new. It knows limit orders of one symbol, and neither owners nor time; nothing here reads a clock.
 *
 * References: Bernstein, "Crit-bit trees"; Knuth, TAOCP 6.4, algorithm R (deletion with linear probing).
 */
export { MAX_ORDERS, OrderBook, type OrderBookSpec } from './orderBook.ts';
export { PriceLevel } from './priceLevel.ts';
export { MAX_TRADES, Trade, TradeSink } from './tradeSink.ts';
