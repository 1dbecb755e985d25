import { type OrderRecord, Side } from '../order.ts';

const MID = 100e8;
const TICK = 0.01e8;
const LOT = 1e8;
const TWO_32 = 2 ** 32;
const RUN_BITS = 9;
/** Orders in a row that rest; as many in a row then take them all. */
const RUN = 1 << RUN_BITS;
/** Above those of the flow that follows: high half of the ids. */
const ID_HI = 1 << 16;

/**
 * Orders that leave nothing behind, to go ahead of an order flow: a receiver that has seen them has run hot.
 *
 * 512 orders rest on 40 prices of one side, then 512 take them all, in part and several at a time; then the same with the
 * sides exchanged. After each {@link LEAD_IN_ROUND} orders the book is as it was before.
 */
export class LeadInFlow {
  #count = 0;

  /** Writes the next order into `out`; its times are left alone. */
  next(out: OrderRecord): void {
    const at = this.#count & (RUN - 1);
    const takes = ((this.#count >>> RUN_BITS) & 1) === 1;
    const oddRound = ((this.#count >>> RUN_BITS) & 2) !== 0;
    // The same quantities in reverse: their sum is the same, and no two meet that are alike.
    const quantity = quantityAt(takes ? RUN - 1 - at : at);
    const buys = takes === oddRound;
    const awayTicks = takes ? -40 : (at * 29) % 40;
    const price = MID + (buys ? -awayTicks : awayTicks) * TICK;
    out.idLo = ++this.#count | 0;
    out.idHi = ID_HI;
    out.priceLo = price | 0;
    out.priceHi = (price / TWO_32) | 0;
    out.quantityLo = quantity | 0;
    out.quantityHi = (quantity / TWO_32) | 0;
    out.side = buys ? Side.buy : Side.sell;
  }
}

/** After so many orders the book is as it was before. */
export const LEAD_IN_ROUND: number = 2 * RUN;

function quantityAt(i: number): number {
  return (1 + ((i * 37) % 100)) * LOT;
}
