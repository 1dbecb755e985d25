import { joinHalves } from '../decimal.ts';

// One trade in the ring:
//
//   | makerIdLo | makerIdHi | takerIdLo | takerIdHi | priceLo | priceHi | quantityLo | quantityHi | takerSide | (free) |
//
// and its place in it tells its sequence number.
const TRADE_WORDS = 10;
const MAKER_ID = 0;
const TAKER_ID = 2;
const PRICE = 4;
const QUANTITY = 6;
const TAKER_SIDE = 8;

/** Most trades that a sink can be made for. */
export const MAX_TRADES: number = 2 ** 24;

/**
 * One trade between an order that rested (maker) and one that arrived (taker): what {@link TradeSink.take} fills.
 *
 * The halves of a u64 are int32 bit patterns: `>>> 0` reads one as a u32. The bigint accessors are for the edge.
 */
export class Trade {
  /** Bits 0 to 31 of the id of the order that rested. */
  makerIdLo = 0;
  /** Bits 32 to 63 of the id of the order that rested. */
  makerIdHi = 0;
  /** Bits 0 to 31 of the id of the order that arrived. */
  takerIdLo = 0;
  /** Bits 32 to 63 of the id of the order that arrived. */
  takerIdHi = 0;
  /** Bits 0 to 31 of the price, which is the maker's. */
  priceLo = 0;
  /** Bits 32 to 63 of the price. */
  priceHi = 0;
  /** Bits 0 to 31 of the quantity. */
  quantityLo = 0;
  /** Bits 32 to 63 of the quantity. */
  quantityHi = 0;
  /** The `Side` of the order that arrived. */
  takerSide = 0;
  /** Which trade of this sink it is, from 1 on and without gaps, exact below 2^53; NaN before the first. */
  sequence: number = Number.NaN;

  /** The id of the order that rested. */
  get makerId(): bigint {
    return joinHalves(this.makerIdLo, this.makerIdHi);
  }

  /** The id of the order that arrived. */
  get takerId(): bigint {
    return joinHalves(this.takerIdLo, this.takerIdHi);
  }

  /** The price, a u64 with 8 decimals. */
  get price(): bigint {
    return joinHalves(this.priceLo, this.priceHi);
  }

  /** The quantity, a u64 with 8 decimals. */
  get quantity(): bigint {
    return joinHalves(this.quantityLo, this.quantityHi);
  }
}

/**
 * Where a book puts its trades: a ring that is allocated once, filled by the book and drained by its owner.
 *
 * It never loses a trade: a book refuses an order whose trades do not all fit, before it changes anything
 * (`tradesFull`: drain and submit again). Books that share a sink share its sequence numbers.
 */
export class TradeSink {
  /** Trades that fit. */
  readonly capacity: number;
  readonly #words: Int32Array;
  /** Trades written and trades taken since the sink was made: beyond 2^31 a field would allocate. */
  readonly #cursors: Float64Array = new Float64Array(2);

  /**
   * @param capacity - trades that fit, a power of two up to {@link MAX_TRADES}
   * @throws RangeError when the capacity is anything else
   */
  constructor(capacity: number) {
    if (!(capacity >= 1 && capacity <= MAX_TRADES && Number.isInteger(Math.log2(capacity)))) {
      throw new RangeError(
        `Cannot make a trade sink: capacity must be a power of two up to ${MAX_TRADES}, got ${capacity}`,
      );
    }
    this.capacity = capacity;
    this.#words = new Int32Array(capacity * TRADE_WORDS);
  }

  /** Trades that wait to be taken. @hot */
  get count(): number {
    return this.#cursors[0]! - this.#cursors[1]!;
  }

  /**
   * Adds a trade; the book's end. The caller has checked that there is room.
   *
   * @hot
   */
  push(
    makerIdLo: number,
    makerIdHi: number,
    takerIdLo: number,
    takerIdHi: number,
    priceLo: number,
    priceHi: number,
    quantityLo: number,
    quantityHi: number,
    takerSide: number,
  ): void {
    const words = this.#words;
    const at = (this.#cursors[0]! & (this.capacity - 1)) * TRADE_WORDS;
    words[at + MAKER_ID] = makerIdLo;
    words[at + MAKER_ID + 1] = makerIdHi;
    words[at + TAKER_ID] = takerIdLo;
    words[at + TAKER_ID + 1] = takerIdHi;
    words[at + PRICE] = priceLo;
    words[at + PRICE + 1] = priceHi;
    words[at + QUANTITY] = quantityLo;
    words[at + QUANTITY + 1] = quantityHi;
    words[at + TAKER_SIDE] = takerSide;
    this.#cursors[0]!++;
  }

  /**
   * Takes the oldest trade that waits.
   *
   * @returns whether there was one; if not, `out` is left alone
   * @hot
   */
  take(out: Trade): boolean {
    const cursors = this.#cursors;
    const taken = cursors[1]!;
    if (taken === cursors[0]!) return false;
    const words = this.#words;
    const at = (taken & (this.capacity - 1)) * TRADE_WORDS;
    out.makerIdLo = words[at + MAKER_ID]!;
    out.makerIdHi = words[at + MAKER_ID + 1]!;
    out.takerIdLo = words[at + TAKER_ID]!;
    out.takerIdHi = words[at + TAKER_ID + 1]!;
    out.priceLo = words[at + PRICE]!;
    out.priceHi = words[at + PRICE + 1]!;
    out.quantityLo = words[at + QUANTITY]!;
    out.quantityHi = words[at + QUANTITY + 1]!;
    out.takerSide = words[at + TAKER_SIDE]!;
    out.sequence = taken + 1;
    cursors[1] = taken + 1;
    return true;
  }
}
