import type { Pollable } from '../core/index.ts';
import type { LaneContext, LaneProgram } from '../lane/index.ts';
import { createBook } from './createBook.ts';
import { openSource } from './openSource.ts';
import { OrderReceiver } from './orderReceiver.ts';
import { ReceiverPage, SOURCE_DROPS } from './receiverPage.ts';
import type { Source, SourceReport } from './source.ts';

/** What the receiver's lane is given. */
export interface ReceiverLaneData {
  /** where payloads come from: `xdp:eth0`, `loop:x`, `udp:0.0.0.0` */
  readonly via: string;
  /** UDP destination port; 0 for any free one where the source can tell which */
  readonly udpPort: number;
  /** descriptor of the {@link ReceiverPage} to count on */
  readonly pageFd: number;
  /** orders that the book holds at rest */
  readonly maxOrders: number;
  /** refuse to run weaker than asked; default false */
  readonly strict?: boolean;
}

/** How the receiver runs. */
export interface ReceiverLaneReport extends SourceReport {
  /** the port that it really listens on */
  readonly udpPort: number;
}

/** What the receiver's lane leaves behind. */
export interface ReceiverLaneResult {
  /** what the source lost or refused, by reason */
  readonly drops: Readonly<Record<string, number>>;
  /** reasons of the source as of its end: a capture may have failed meanwhile */
  readonly reasons: readonly string[];
}

/** Makes the order receiver: a source, the decoder, a book, all on one lane. */
export function createLane(context: LaneContext, data: ReceiverLaneData): LaneProgram {
  const page = ReceiverPage.open(data.pageFd);
  const receiver = new OrderReceiver(createBook(data.maxOrders, page.values), page);
  const options = { udpPort: data.udpPort, strict: data.strict ?? false };
  const source = new PublishedSource(openSource(data.via, receiver, options), page.values, context);
  return {
    pollables: [source],
    report: (): ReceiverLaneReport => source.report,
    close: () => {
      source.close();
      page.close();
    },
    result: (): ReceiverLaneResult => ({ drops: source.drops, reasons: source.reasons }),
  };
}

/** How often a spinning lane looks for losses, which costs system calls: some ten times a second. [polls] */
const PUBLISH_POLLS_MASK = 0x7ffff;

/**
 * A source that shows its losses on the counters page, now and then while it spins and before it sleeps.
 *
 * One that is at its end stops the lane.
 */
class PublishedSource implements Pollable {
  readonly fds: readonly number[];
  readonly report: ReceiverLaneReport;
  drops: Readonly<Record<string, number>> = {};
  reasons: readonly string[] = [];
  readonly #source: Source;
  readonly #values: Float64Array;
  readonly #context: LaneContext;
  #polls = 0;

  constructor(source: Source, values: Float64Array, context: LaneContext) {
    this.#source = source;
    this.#values = values;
    this.#context = context;
    this.fds = source.fds;
    this.report = { ...source.report, udpPort: source.udpPort };
  }

  poll(budget: number): number {
    this.#polls = (this.#polls + 1) & PUBLISH_POLLS_MASK;
    if (this.#polls === 0) this.#publish();
    const work = this.#source.poll(budget);
    if (work === 0 && this.#source.ended === true) this.#context.stop();
    return work;
  }

  arm(): boolean {
    this.#publish();
    return this.#source.arm();
  }

  close(): void {
    this.#publish();
    this.#source.close();
  }

  #publish(): void {
    this.drops = this.#source.drops();
    this.reasons = [...this.#source.report.reasons];
    this.#values[SOURCE_DROPS] = Object.values(this.drops).reduce((sum, count) => sum + count, 0);
  }
}
