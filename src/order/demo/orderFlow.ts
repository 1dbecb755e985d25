import { type OrderRecord, Side } from '../order.ts';

const TWO_32 = 2 ** 32;
/** 100.00000000 and 0.01000000 in fixed point with 8 decimals. */
const FIRST_MID = 100e8;
const TICK = 0.01e8;
const LOT = 1e8;

/**
 * An endless, seeded stream of limit orders around a wandering price: the same seed gives the same orders.
 *
 * About a third of the orders meets the other side when it arrives; the rest rests, up to 40 ticks away. Ids count up
 * from 1.
 */
export class OrderFlow {
  #state: number;
  #mid = FIRST_MID;
  #id = 0;

  /** @param seed - any whole number */
  constructor(seed: number) {
    // xorshift never leaves 0, so 0 has to be avoided.
    this.#state = seed | 0 || 1;
  }

  /** Writes the next order into `out`; its times are left alone. @hot */
  next(out: OrderRecord): void {
    const random = this.#next();
    const side = random & 1 ? Side.sell : Side.buy;
    // Below 0 the order asks for more than the mid and will probably trade.
    const awayTicks = ((random >>> 1) % 60) - 20;
    if ((random >>> 8) % 64 === 0) this.#mid += (random >>> 16) & 1 ? TICK : -TICK;
    const price = this.#mid + (side === Side.buy ? -awayTicks : awayTicks) * TICK;
    const quantity = (1 + ((random >>> 20) % 100)) * LOT;
    this.#id++;
    out.idLo = this.#id | 0;
    out.idHi = (this.#id / TWO_32) | 0;
    out.priceLo = price | 0;
    out.priceHi = (price / TWO_32) | 0;
    out.quantityLo = quantity | 0;
    out.quantityHi = (quantity / TWO_32) | 0;
    out.side = side;
  }

  /** xorshift32 (Marsaglia 2003, triple 13, 17, 5). */
  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}
