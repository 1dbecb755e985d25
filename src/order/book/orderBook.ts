import { OrderError, type OrderRecord, Side } from '../order.ts';
import { isBelow } from './halves.ts';
import { LevelWord, ORDER_WORDS, OrderWord } from './layout.ts';
import { Levels } from './levels.ts';
import type { PriceLevel } from './priceLevel.ts';
import { Slab } from './slab.ts';
import type { TradeSink } from './tradeSink.ts';
import { U64Table } from './u64Table.ts';

/** Most orders, and most levels, that a book can be made for: links of the price tree then still fit an int32. */
export const MAX_ORDERS: number = 2 ** 25;

/** How large an {@link OrderBook} is, and where its trades go. */
export interface OrderBookSpec {
  /** Orders that can rest, up to {@link MAX_ORDERS}. */
  readonly maxOrders: number;
  /** Different prices at which orders can rest, both sides together; `maxOrders` unless told. */
  readonly maxLevels?: number;
  /** Where the trades go; its owner drains it. */
  readonly trades: TradeSink;
}

/**
 * The limit orders of one symbol, matched on arrival by price, then time.
 *
 * An order trades with the best orders of the other side up to its limit, at their prices; what is left of it rests.
 * Each call is done completely or not at all: a code below 0 says why nothing has changed. Nothing is allocated after
 * construction, and no number is rounded: ids, prices and quantities are u64, level totals wider.
 *
 * Memory: 32 bytes for each of `maxOrders`, 64 for each of `maxLevels`, and 12 to 24 for each of both in hash tables:
 * 57 bytes per resting order when 1,000,000 orders rest on 100,000 levels and `maxLevels` says so.
 */
export class OrderBook {
  readonly #trades: TradeSink;
  readonly #orders: Slab;
  readonly #words: Int32Array;
  readonly #byId: U64Table;
  readonly #levels: Levels;
  /** What the order in hand has left to trade. */
  #leftLo = 0;
  #leftHi = 0;

  /**
   * Allocates everything the book will ever use.
   *
   * @throws RangeError when `maxOrders` or `maxLevels` is no integer from 1 to {@link MAX_ORDERS}
   */
  constructor({ maxOrders, maxLevels = maxOrders, trades }: OrderBookSpec) {
    checkCapacity('maxOrders', maxOrders);
    checkCapacity('maxLevels', maxLevels);
    this.#trades = trades;
    this.#orders = new Slab(maxOrders, ORDER_WORDS);
    this.#words = this.#orders.words;
    this.#byId = new U64Table(this.#words, maxOrders);
    this.#levels = new Levels(this.#words, maxLevels);
  }

  /** Orders that rest in the book. @hot */
  get resting(): number {
    return this.#orders.count;
  }

  /**
   * Matches an order and lets what is left of it rest.
   *
   * Refused, in this order of precedence and without a trace: `badSide`, `zeroQuantity`, `duplicateId`, then
   * `bookFull` or `levelsFull` for an order that trades nothing, `tradesFull` or `sweepTooLong` for one that does. (An
   * order that trades first finds room to rest: it has emptied a level.)
   *
   * @param order - read, not kept
   * @returns trades made, now in the sink; or a negative {@link OrderError}
   * @hot
   */
  submit(order: OrderRecord): number {
    const side = order.side;
    const idLo = order.idLo | 0;
    const idHi = order.idHi | 0;
    const priceLo = order.priceLo | 0;
    const priceHi = order.priceHi | 0;
    const quantityLo = order.quantityLo | 0;
    const quantityHi = order.quantityHi | 0;
    if (side !== Side.buy && side !== Side.sell) return OrderError.badSide;
    if ((quantityLo | quantityHi) === 0) return OrderError.zeroQuantity;
    if (this.#byId.find(idLo, idHi) >= 0) return OrderError.duplicateId;

    const levels = this.#levels;
    const best = levels.best(side ^ 1);
    if (best < 0 || !levels.crosses(best, side, priceLo, priceHi)) {
      return this.#rest(side, idLo, idHi, priceLo, priceHi, quantityLo, quantityHi);
    }
    const capacity = this.#trades.capacity;
    const room = capacity - this.#trades.count;
    if (!levels.tradesFit(side, priceLo, priceHi, quantityLo, quantityHi, room)) {
      const hope = levels.tradesFit(side, priceLo, priceHi, quantityLo, quantityHi, capacity);
      return hope ? OrderError.tradesFull : OrderError.sweepTooLong;
    }
    this.#leftLo = quantityLo;
    this.#leftHi = quantityHi;
    const trades = this.#match(side, idLo, idHi, priceLo, priceHi);
    if ((this.#leftLo | this.#leftHi) !== 0) {
      this.#rest(side, idLo, idHi, priceLo, priceHi, this.#leftLo, this.#leftHi);
    }
    return trades;
  }

  /**
   * Takes an order out of the book.
   *
   * @param idLo - bits 0 to 31 of its id, int32 or u32
   * @param idHi - bits 32 to 63 of its id, int32 or u32
   * @returns 0, or `OrderError.unknownId`
   * @hot
   */
  cancel(idLo: number, idHi: number): number {
    const order = this.#byId.find(idLo | 0, idHi | 0);
    if (order < 0) return OrderError.unknownId;
    this.#remove(order);
    return 0;
  }

  /** Reads the highest bid. @returns whether there is one; if not, `out` is left alone. @hot */
  bestBid(out: PriceLevel): boolean {
    return this.#readBest(Side.buy, out);
  }

  /** Reads the lowest ask. @returns whether there is one; if not, `out` is left alone. @hot */
  bestAsk(out: PriceLevel): boolean {
    return this.#readBest(Side.sell, out);
  }

  /** How many different prices rest on a side [levels]. @hot */
  levelCount(side: Side): number {
    return this.#levels.count(side);
  }

  /**
   * Reads the levels of a side, best first, into `out[0]`, `out[1]`, …
   *
   * @param maxLevels - most levels to read; `out.length` unless told, and never more
   * @returns levels read
   * @hot
   */
  depth(side: Side, out: readonly PriceLevel[], maxLevels: number = out.length): number {
    const levels = this.#levels;
    const most = Math.min(maxLevels, out.length);
    let count = 0;
    for (let level = levels.best(side); level >= 0 && count < most; count++) {
      levels.read(level, out[count]!);
      level = levels.words[level + LevelWord.worse]!;
    }
    return count;
  }

  /**
   * Checks every invariant of the book's data; for tests, since it walks everything.
   *
   * @throws Error that names the first one broken
   */
  audit(): void {
    this.#orders.audit();
    this.#byId.audit(this.#orders.count);
    this.#levels.audit(this.#orders.count);
  }

  #match(side: number, idLo: number, idHi: number, priceLo: number, priceHi: number): number {
    const levels = this.#levels;
    const makers = side ^ 1;
    let trades = 0;
    for (
      let level = levels.best(makers);
      level >= 0 && levels.crosses(level, side, priceLo, priceHi);
      level = levels.best(makers)
    ) {
      this.#trade(levels.words[level + LevelWord.first]!, level, side, idLo, idHi);
      trades++;
      if ((this.#leftLo | this.#leftHi) === 0) break;
    }
    return trades;
  }

  /** Makes one trade with `maker`, the first order of `level`, and takes it off what is left of the order in hand. */
  #trade(maker: number, level: number, side: number, idLo: number, idHi: number): void {
    const words = this.#words;
    const levelWords = this.#levels.words;
    const makerLo = words[maker + OrderWord.quantityLo]!;
    const makerHi = words[maker + OrderWord.quantityHi]!;
    const leftLo = this.#leftLo;
    const leftHi = this.#leftHi;
    const partly = isBelow(leftLo, leftHi, makerLo, makerHi);
    const lo = partly ? leftLo : makerLo;
    const hi = partly ? leftHi : makerHi;
    this.#trades.push(
      words[maker + OrderWord.idLo]!,
      words[maker + OrderWord.idHi]!,
      idLo,
      idHi,
      levelWords[level + LevelWord.priceLo]!,
      levelWords[level + LevelWord.priceHi]!,
      lo,
      hi,
      side,
    );
    this.#leftLo = (leftLo - lo) | 0;
    this.#leftHi = (leftHi - hi - (leftLo >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
    if (partly) this.#levels.reduce(maker, lo, hi);
    else this.#remove(maker);
  }

  #rest(
    side: number,
    idLo: number,
    idHi: number,
    priceLo: number,
    priceHi: number,
    quantityLo: number,
    quantityHi: number,
  ): number {
    if (this.#orders.full) return OrderError.bookFull;
    const level = this.#levels.at(side, priceLo, priceHi);
    if (level < 0) return OrderError.levelsFull;
    const words = this.#words;
    const order = this.#orders.take();
    words[order + OrderWord.idLo] = idLo;
    words[order + OrderWord.idHi] = idHi;
    words[order + OrderWord.quantityLo] = quantityLo;
    words[order + OrderWord.quantityHi] = quantityHi;
    this.#levels.append(level, order);
    this.#byId.insert(order);
    return 0;
  }

  #remove(order: number): void {
    this.#levels.remove(order);
    this.#byId.remove(order);
    this.#orders.give(order);
  }

  #readBest(side: Side, out: PriceLevel): boolean {
    const level = this.#levels.best(side);
    if (level < 0) return false;
    this.#levels.read(level, out);
    return true;
  }
}

function checkCapacity(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_ORDERS) return;
  throw new RangeError(
    `Cannot make an order book: ${name} must be an integer from 1 to ${MAX_ORDERS}, got ${value}`,
  );
}
