import type { RunningReceiver } from '../receiveOrders.ts';
import type { ReceiverReading } from '../receiverPage.ts';

/** Where a path stands. */
export interface DemoProgress extends ReceiverReading {
  readonly via: string;
  /** 0 to 1; undefined where nobody knows how much is to come */
  readonly done: number | undefined;
  /** since the last call [orders per second] */
  readonly perSecond: number;
}

const PROGRESS_MS = 250;

/** Tells where a receiver stands, some times a second, until it is disposed. */
export class Ticker implements Disposable {
  readonly #receiver: RunningReceiver;
  readonly #total: number | undefined;
  readonly #timer: NodeJS.Timeout;
  #received = 0;
  #atMs = performance.now();

  /** @param total - orders to come; nobody knows how many when absent */
  constructor(
    receiver: RunningReceiver,
    onProgress: ((progress: DemoProgress) => void) | undefined,
    total?: number,
  ) {
    this.#receiver = receiver;
    this.#total = total;
    this.#timer = setInterval(() => onProgress?.(this.#next()), PROGRESS_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #next(): DemoProgress {
    const reading = this.#receiver.read();
    const nowMs = performance.now();
    const perSecond = ((reading.received - this.#received) / (nowMs - this.#atMs)) * 1000;
    this.#received = reading.received;
    this.#atMs = nowMs;
    const done = this.#total === undefined ? undefined : Math.min(1, reading.received / this.#total);
    return { ...reading, via: this.#receiver.report.via, done, perSecond };
  }
}
