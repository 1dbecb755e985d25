import type { OrderBook } from './book/orderBook.ts';
import { Trade, type TradeSink } from './book/tradeSink.ts';
import { OrderError, type OrderRecord, Side } from './order.ts';
import type { OrderHandler } from './orderReceiver.ts';
import { ASK_LEVELS, BID_LEVELS, RESTING, TRADES } from './receiverPage.ts';

/** Who is told of trades; `trade` is reused for the next one. */
export type TradeListener = (trade: Trade) => void;

/**
 * Puts orders into a book on the receiver's own thread, and drains its trades after every burst.
 *
 * An order whose trades do not fit into the sink now is submitted again after draining: back-pressure within the burst,
 * never a loss.
 */
export class BookHandler implements OrderHandler {
  readonly #book: OrderBook;
  readonly #trades: TradeSink;
  readonly #trade = new Trade();
  readonly #values: Float64Array;
  readonly #listener: TradeListener | undefined;

  /**
   * @param trades - the sink that the book was made with
   * @param values - of the receiver's counters page
   * @param listener - told of every trade
   */
  constructor(book: OrderBook, trades: TradeSink, values: Float64Array, listener?: TradeListener) {
    this.#book = book;
    this.#trades = trades;
    this.#values = values;
    this.#listener = listener;
  }

  /** Matches the order, and lets the rest of it rest. @hot */
  onOrder(order: OrderRecord): number {
    const result = this.#book.submit(order);
    if (result !== OrderError.tradesFull) return result;
    this.#drain();
    return this.#book.submit(order);
  }

  /** Drains the trades and shows the book's size. @hot */
  onBurstEnd(): void {
    this.#drain();
    const values = this.#values;
    values[RESTING] = this.#book.resting;
    values[BID_LEVELS] = this.#book.levelCount(Side.buy);
    values[ASK_LEVELS] = this.#book.levelCount(Side.sell);
  }

  #drain(): void {
    const trades = this.#trades;
    this.#values[TRADES]! += trades.count;
    while (trades.take(this.#trade)) this.#listener?.(this.#trade);
  }
}
