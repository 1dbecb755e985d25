import { type CounterSpec, CountersPage, type CountersPageSpec, type Histogram } from '../core/index.ts';
import { createMemfd, type Fd, MappedFile } from '../sys/index.ts';
import { orderErrorHelp, orderErrorNames } from './order.ts';

/** Index of the payloads received, taken or not. */
export const RECEIVED: number = 0;
/** Index of the trades made. */
export const TRADES: number = 1;
/** Index of the orders that rest in the book. */
export const RESTING: number = 2;
/** Index of the price levels with bids. */
export const BID_LEVELS: number = 3;
/** Index of the price levels with asks. */
export const ASK_LEVELS: number = 4;
/** Index of what the source lost or refused, of all reasons. */
export const SOURCE_DROPS: number = 5;
/** Index of the orders taken; the rejected ones follow, `REJECTED - code` for each negative OrderError. */
export const REJECTED: number = 6;

const counters: readonly CounterSpec[] = [
  { name: 'received', unit: 'payloads', help: 'payloads received, orders or not' },
  { name: 'trades', unit: 'trades', help: 'trades made in the book' },
  { name: 'book.resting', unit: 'orders', help: 'orders resting in the book', kind: 'gauge' },
  { name: 'book.bidLevels', unit: 'levels', help: 'prices with resting buy orders', kind: 'gauge' },
  { name: 'book.askLevels', unit: 'levels', help: 'prices with resting sell orders', kind: 'gauge' },
  { name: 'source.drops', unit: 'frames', help: 'frames that the source lost or refused, of all reasons' },
  ...orderErrorNames.map((name, i) => ({
    name: i === 0 ? 'orders.accepted' : `orders.rejected.${name}`,
    unit: 'orders',
    help: orderErrorHelp[name],
  })),
];

const spec: CountersPageSpec = {
  labels: { program: 'barewire receive' },
  counters,
  histograms: [{ name: 'wireToBook', help: 'from the intended send time to the order in the book' }],
};

/** Latency from the intended send time to the order in the book; NaN before the first. [ns] */
export interface LatencyReading {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What a receiver has done so far. */
export interface ReceiverReading {
  /** payloads, rejected ones included */
  readonly received: number;
  /** orders refused, by reason; reasons that did not occur are left out */
  readonly rejected: Readonly<Record<string, number>>;
  readonly trades: number;
  /** orders resting in the book */
  readonly book: number;
  readonly bidLevels: number;
  readonly askLevels: number;
  /** frames or datagrams that the source lost or refused, of all reasons */
  readonly dropped: number;
  readonly latencyNs: LatencyReading;
}

/**
 * The counters page of an order receiver, in a memfd: written by its lane, read by any other thread, and by any
 * process of the same user through /proc/PID/fd.
 */
export class ReceiverPage implements Disposable {
  readonly page: CountersPage;
  readonly values: Float64Array;
  readonly latency: Histogram;
  readonly #mapping: MappedFile;
  readonly #owned: Fd | undefined;
  readonly #fd: number;

  private constructor(fd: number, owned: Fd | undefined) {
    const len = CountersPage.sizeOf(spec);
    this.#mapping = new MappedFile(fd, len, 0, 'counters page');
    this.#fd = fd;
    this.#owned = owned;
    const { buffer } = this.#mapping;
    this.page = owned ? CountersPage.create(buffer, 0, spec) : CountersPage.open(buffer, 0);
    this.values = this.page.values;
    this.latency = this.page.histogram('wireToBook');
  }

  /** Makes a page with all counters at 0. */
  static create(): ReceiverPage {
    const fd = createMemfd('barewire-counters', CountersPage.sizeOf(spec));
    return new ReceiverPage(fd.fd, fd);
  }

  /** Maps the page behind the descriptor `fd` of this process, made by {@link ReceiverPage.create} in another thread. */
  static open(fd: number): ReceiverPage {
    return new ReceiverPage(fd, undefined);
  }

  /** The descriptor to pass to {@link ReceiverPage.open}. */
  get fd(): number {
    return this.#fd;
  }

  /** Reads what the receiver has done so far; the values of one call may be of slightly different moments. */
  read(): ReceiverReading {
    const { values } = this;
    const rejected: Record<string, number> = {};
    for (const [i, name] of orderErrorNames.entries()) {
      const count = values[REJECTED + i]!;
      if (i > 0 && count > 0) rejected[name] = count;
    }
    // Live, without a snapshot: 31 KiB for each look would grow a receiver that is looked at four times a second.
    const { latency } = this;
    return {
      received: values[RECEIVED]!,
      rejected,
      trades: values[TRADES]!,
      book: values[RESTING]!,
      bidLevels: values[BID_LEVELS]!,
      askLevels: values[ASK_LEVELS]!,
      dropped: values[SOURCE_DROPS]!,
      latencyNs: {
        p50: latency.percentile(50),
        p99: latency.percentile(99),
        p999: latency.percentile(99.9),
        max: latency.max,
      },
    };
  }

  /** Sets all counters to 0; only while the lane that writes them has nothing to count. */
  clear(): void {
    this.values.fill(0);
    this.latency.clear();
  }

  /** Unmaps the page in this thread; the creator also closes the memfd. Idempotent. */
  close(): void {
    this.#mapping.close();
    this.#owned?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
