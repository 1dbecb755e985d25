import { joinHalves } from '../decimal.ts';

/**
 * One price of one side with what rests there: what the book's views fill. Made once, filled again and again.
 *
 * The words are int32 bit patterns: `>>> 0` reads one as a u32. The bigint accessors are for the edge.
 */
export class PriceLevel {
  /** Bits 0 to 31 of the price. */
  priceLo = 0;
  /** Bits 32 to 63 of the price. */
  priceHi = 0;
  /** Bits 0 to 31 of the sum of quantities. */
  quantityLo = 0;
  /** Bits 32 to 63 of the sum of quantities. */
  quantityMid = 0;
  /** Bits 64 to 95 of the sum of quantities: many orders can exceed a u64. */
  quantityHi = 0;
  /** How many orders rest there [orders]. */
  orders = 0;

  /** The price, a u64 with 8 decimals. */
  get price(): bigint {
    return joinHalves(this.priceLo, this.priceHi);
  }

  /** The sum of quantities, 96 bits with 8 decimals. */
  get quantity(): bigint {
    return (joinHalves(this.quantityHi, 0) << 64n) | joinHalves(this.quantityLo, this.quantityMid);
  }
}
