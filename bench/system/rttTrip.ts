import { Histogram } from '../../src/core/index.ts';
import { encodeOrder, ORDER_LEN, OrderRecord } from '../../src/order/index.ts';
import type { RttTimes } from './rttEnds.ts';

/** UDP port of the end that answers. */
export const ANSWER_PORT = 9000;
/** UDP port of the end that calls. */
export const CALL_PORT = 9001;
/** An order that has not come back for so long is sent again. [ns] */
export const LOST_NS = 20e6;
/** How much longer than its caller an answerer waits, should the last order be lost. [seconds] */
export const GRACE_SECONDS = 2;

/** The trip after which the answerer stops; the others count up from 1. */
export const LAST_TRIP = 0xffff_ffff;

const order = new OrderRecord();
order.price = 10_000_000_000n;
order.quantity = 100_000_000n;

/** Writes the order of a trip. */
export function writeTrip(view: DataView, offset: number, trip: number): void {
  order.idLo = trip | 0;
  encodeOrder(view, offset, order);
}

/** The trip that an order belongs to; -1 for one of another length. */
export function readTrip(view: DataView, offset: number, len: number): number {
  return len === ORDER_LEN ? view.getUint32(offset, true) : -1;
}

/** Round-trip times of one measurement. */
export class Trips {
  readonly #histogram = Histogram.create();
  lost = 0;

  /** Records one. [ns] @hot */
  record(ns: number): void {
    this.#histogram.record(ns);
  }

  /** The percentiles. */
  times(): RttTimes {
    const at = (p: number): number => this.#histogram.percentile(p);
    return { p50: at(50), p99: at(99), 'p99.9': at(99.9), lost: this.lost };
  }
}
