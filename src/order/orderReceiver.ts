import type { Histogram } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import { OrderRecord } from './order.ts';
import { decodeIntendedTime, decodeOrder } from './protocol.ts';
import { RECEIVED, REJECTED, type ReceiverPage } from './receiverPage.ts';
import type { PayloadHandler } from './source.ts';

/** Who takes decoded orders, on the receiver's thread. */
export interface OrderHandler {
  /**
   * Takes one order; `order` is reused for the next one.
   *
   * @returns 0 or more when it was taken; a negative OrderError when not
   * @hot
   */
  onOrder(order: OrderRecord): number;

  /** Called once behind the orders of a burst. @hot */
  onBurstEnd(): void;
}

/** Most orders of a burst whose latency is measured. */
const MAX_STAMPS = 1024;

/**
 * Orders out of payloads: decodes, counts, and hands them to a handler: a book on the same lane, or a queue.
 *
 * Every payload is counted as received; one that is no order, or that the handler refuses, is counted under its reason
 * as well. Orders that carry their intended send time are measured from it to the moment that the whole burst was
 * handled, so the figure includes the wait behind others.
 */
export class OrderReceiver implements PayloadHandler {
  readonly #handler: OrderHandler;
  readonly #values: Float64Array;
  readonly #latency: Histogram;
  readonly #order = new OrderRecord();
  readonly #intendedNs = new Float64Array(MAX_STAMPS);
  #stamps = 0;

  /** @param page - where to count and measure; another thread or process may read it meanwhile */
  constructor(handler: OrderHandler, page: ReceiverPage) {
    this.#handler = handler;
    this.#values = page.values;
    this.#latency = page.latency;
  }

  /** Decodes one payload and hands the order on. @hot */
  onPayload(view: DataView, offset: number, len: number, stampNs: Float64Array): void {
    const values = this.#values;
    const order = this.#order;
    values[RECEIVED]! += 1;
    let code = decodeOrder(view, offset, len, order);
    if (code >= 0) {
      decodeIntendedTime(view, offset, len, order);
      order.rxNs = stampNs[0]!;
      code = this.#handler.onOrder(order);
    }
    if (code < 0) {
      values[REJECTED - code]! += 1;
      return;
    }
    values[REJECTED]! += 1;
    // A comparison with NaN is false: orders without a time are not measured.
    if (order.intendedNs >= 0 && this.#stamps < MAX_STAMPS) {
      this.#intendedNs[this.#stamps] = order.intendedNs;
      this.#stamps++;
    }
  }

  /** Takes one stamp for the burst and measures its orders. @hot */
  onBurstEnd(): void {
    this.#handler.onBurstEnd();
    const count = this.#stamps;
    if (count === 0) return;
    const now = nowNs();
    for (let i = 0; i < count; i++) this.#latency.record(now - this.#intendedNs[i]!);
    this.#stamps = 0;
  }
}
