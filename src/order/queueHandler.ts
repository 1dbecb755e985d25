import type { Pollable, SpscConsumer, SpscProducer } from '../core/index.ts';
import { OrderError, OrderRecord } from './order.ts';
import type { OrderHandler } from './orderReceiver.ts';
import { readOrderRecord, writeOrderRecord } from './protocol.ts';

/**
 * Hands orders to another thread: writes each as a record of a queue and publishes the burst at its end.
 *
 * A full queue publishes what there is and refuses the order as `queueFull`; whoever counts rejected orders sees it.
 */
export class QueueHandler implements OrderHandler {
  readonly #queue: SpscProducer;
  #written = 0;

  /** @param queue - of records of at least ORDER_RECORD_LEN bytes */
  constructor(queue: SpscProducer) {
    this.#queue = queue;
  }

  /** Writes one record. @hot */
  onOrder(order: OrderRecord): number {
    const queue = this.#queue;
    if (queue.reserve(this.#written + 1) <= this.#written) return OrderError.queueFull;
    writeOrderRecord(queue.view, queue.i32, queue.recordOffset(this.#written), order);
    this.#written++;
    return 0;
  }

  /** Publishes the records of the burst. @hot */
  onBurstEnd(): void {
    if (this.#written === 0) return;
    this.#queue.submit(this.#written);
    this.#written = 0;
  }
}

/** The other end of a {@link QueueHandler}: takes records off the queue and hands each to a handler. */
export class QueueReader implements Pollable {
  readonly fds: readonly number[] = [];
  readonly #queue: SpscConsumer;
  readonly #handler: OrderHandler;
  readonly #order = new OrderRecord();

  /** @param handler - called on the thread that polls */
  constructor(queue: SpscConsumer, handler: OrderHandler) {
    this.#queue = queue;
    this.#handler = handler;
  }

  /** Handles up to `budget` records. @hot */
  poll(budget: number): number {
    const queue = this.#queue;
    const count = queue.peek(budget);
    if (count === 0) return 0;
    for (let i = 0; i < count; i++) {
      readOrderRecord(queue.view, queue.i32, queue.recordOffset(i), this.#order);
      this.#handler.onOrder(this.#order);
    }
    queue.release(count);
    this.#handler.onBurstEnd();
    return count;
  }

  /** Says that it is not safe to sleep, since memory wakes nobody. */
  arm(): boolean {
    return false;
  }
}
