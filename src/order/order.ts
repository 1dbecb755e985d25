import { highHalf, joinHalves, lowHalf } from './decimal.ts';

/** Which way an order trades, as on the wire. */
export const Side = {
  /** Takes asks, rests among the bids. */
  buy: 0,
  /** Takes bids, rests among the asks. */
  sell: 1,
} as const;
/** One of the two values of {@link Side}. */
export type Side = (typeof Side)[keyof typeof Side];

/**
 * Why an order was not taken, as a small negative number: what the codec and the book return instead of throwing.
 *
 * 0 and more mean accepted. The codes of both are distinct, so one table of counters explains every order.
 */
export const OrderError = {
  /** The payload ends before the order does. */
  tooShort: -1,
  /** The side is neither 0 nor 1. */
  badSide: -2,
  /** The quantity is 0. A price of 0 is a price like any other. */
  zeroQuantity: -3,
  /** An order with this id rests in the book. The id of an order that has left may be used again. */
  duplicateId: -4,
  /** The order would rest, and as many orders rest as the book holds. */
  bookFull: -5,
  /** The order would rest at a price of its own, and the book has as many levels as it holds. */
  levelsFull: -6,
  /** The trade sink has no room for all trades of this order now: drain it and submit the order again. */
  tradesFull: -7,
  /** The order makes more trades than the trade sink holds even when empty: submitting it again cannot help. */
  sweepTooLong: -8,
  /** No order with the id to cancel rests in the book: never submitted, rejected, filled or cancelled before. */
  unknownId: -9,
  /** The queue to the thread that handles orders is full. */
  queueFull: -10,
} as const;

/** The name of an {@link OrderError}. */
export type OrderErrorName = keyof typeof OrderError;

/**
 * Counter names, indexed by the negated code: `counters[-code]`.
 *
 * Index 0 is `accepted`; the others are the names of {@link OrderError} in order.
 */
export const orderErrorNames: readonly ['accepted', ...OrderErrorName[]] = [
  'accepted',
  ...(Object.keys(OrderError) as OrderErrorName[]),
];

/** What each counter of {@link orderErrorNames} means, for the help text of a metrics page. */
export const orderErrorHelp: Readonly<Record<OrderErrorName | 'accepted', string>> = {
  accepted: 'orders that were decoded and taken by the book',
  tooShort: 'payloads shorter than an order',
  badSide: 'orders whose side is neither 0 nor 1',
  zeroQuantity: 'orders for a quantity of 0',
  duplicateId: 'orders with the id of an order that rests in the book',
  bookFull: 'orders that found no room to rest in the book',
  levelsFull: 'orders that found no room for a price of their own',
  tradesFull: 'orders that found no room for their trades at the time',
  sweepTooLong: 'orders with more trades than the trade sink holds',
  unknownId: 'cancels of an order that does not rest in the book',
  queueFull: 'orders that found the queue to the next thread full',
};

/**
 * One limit order: what the decoder fills, queues carry and the book takes. Made once, filled again and again.
 *
 * The halves of a u64 are int32 bit patterns: `>>> 0` reads one as a u32. NB: storing a number above 2^31 - 1 in one
 * works, and costs an allocation each time; store `value | 0`. The bigint accessors are for the edge, not for hot code.
 */
export class OrderRecord {
  /** Bits 0 to 31 of the order id. */
  idLo = 0;
  /** Bits 32 to 63 of the order id. */
  idHi = 0;
  /** Bits 0 to 31 of the limit price. */
  priceLo = 0;
  /** Bits 32 to 63 of the limit price. */
  priceHi = 0;
  /** Bits 0 to 31 of the quantity. */
  quantityLo = 0;
  /** Bits 32 to 63 of the quantity. */
  quantityHi = 0;
  /** A {@link Side}. */
  side = 0;
  /** When the order was received, monotonic; NaN when unknown [ns]. */
  rxNs: number = Number.NaN;
  /** When the sender meant to send it, monotonic; NaN when unknown [ns]. */
  intendedNs: number = Number.NaN;

  /** The order id, a u64. The setter throws RangeError for anything else. */
  get id(): bigint {
    return joinHalves(this.idLo, this.idHi);
  }
  set id(value: bigint) {
    this.idLo = lowHalf(value);
    this.idHi = highHalf(value);
  }

  /** The limit price, a u64 with 8 decimals. The setter throws RangeError for anything else. */
  get price(): bigint {
    return joinHalves(this.priceLo, this.priceHi);
  }
  set price(value: bigint) {
    this.priceLo = lowHalf(value);
    this.priceHi = highHalf(value);
  }

  /** The quantity, a u64 with 8 decimals. The setter throws RangeError for anything else. */
  get quantity(): bigint {
    return joinHalves(this.quantityLo, this.quantityHi);
  }
  set quantity(value: bigint) {
    this.quantityLo = lowHalf(value);
    this.quantityHi = highHalf(value);
  }
}
