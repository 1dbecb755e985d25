import { type IdleName, Lane, siblingUrl } from '../lane/index.ts';
import type { ReceiverLaneData, ReceiverLaneReport, ReceiverLaneResult } from './receiverLane.ts';
import { ReceiverPage, type ReceiverReading } from './receiverPage.ts';

/** Where orders come from, and what takes them. */
export interface ReceiveOrdersSpec {
  /** a source: `xdp:eth0`, `udp:`, … */
  readonly via: string;
  /** UDP destination port; 0 for any free one, over `udp:` */
  readonly udpPort: number;
  /** orders that the book holds at rest; default 1,048,576 */
  readonly maxOrders?: number;
  /** core to pin the receiver to; default none */
  readonly core?: number;
  /** default `block` */
  readonly idle?: IdleName;
  /** network namespace to receive in: a path; default the process's own */
  readonly netns?: string;
  /** refuse to run weaker than asked; default false */
  readonly strict?: boolean;
}

/** A receiver that runs on a thread of its own. */
export interface RunningReceiver extends AsyncDisposable {
  /** how it runs, and the UDP port that it really listens on */
  readonly report: ReceiverLaneReport;
  /** rejects with what ended the receiver, should it end by itself; never resolves */
  readonly failed: Promise<never>;
  /** whether it came to its end by itself, as at the end of a capture; absent where it never does */
  readonly ended?: boolean;
  /** Reads its counters, while it runs and until it is closed. */
  read(): ReceiverReading;
  /** Sets its counters to 0; only while nothing arrives, as between a warm-up and what is to be measured. */
  clear(): void;
  /** What has become weaker since it was opened, a line each, as of its end: a capture that failed. Empty before. */
  readonly lateReasons?: readonly string[];
  /** Stops it. @returns what the source lost or refused, by reason */
  stop(): Promise<Readonly<Record<string, number>>>;
}

/** Orders that a book holds at rest unless told. */
export const DEFAULT_MAX_ORDERS: number = 1 << 20;

/**
 * Starts a lane that receives orders into a book, and resolves once it runs.
 *
 * Dispose it when its counters have been read for the last time.
 *
 * @throws what opening the source throws, such as SystemError EPERM, ENODEV, EBUSY; TypeError for a bad spec
 */
export async function receiveOrders(spec: ReceiveOrdersSpec): Promise<RunningReceiver> {
  const page = ReceiverPage.create();
  try {
    const { via, udpPort, maxOrders = DEFAULT_MAX_ORDERS, strict = false } = spec;
    const data: ReceiverLaneData = { via, udpPort, maxOrders, strict, pageFd: page.fd };
    const lane = await Lane.start({
      module: siblingUrl(import.meta.url, './receiverLane'),
      name: 'receiver',
      data,
      strict,
      idle: spec.idle ?? 'block',
      ...(spec.core === undefined ? {} : { core: spec.core }),
      ...(spec.netns === undefined ? {} : { netns: spec.netns }),
    });
    const program = lane.programReport as ReceiverLaneReport;
    let ended = false;
    let lateReasons: readonly string[] = [];
    const failed = lane.done.then((result) => {
      ended = true;
      lateReasons = (result as ReceiverLaneResult).reasons.filter(
        (reason) => !program.reasons.includes(reason),
      );
      return new Promise<never>(() => {});
    });
    // Whoever waits for `failed` or stops the receiver hears of an error; nobody else has to.
    failed.catch(() => {});
    const stop = async (): Promise<ReceiverLaneResult['drops']> => {
      await lane.stop();
      return ((await lane.done) as ReceiverLaneResult).drops;
    };
    return {
      report: { ...program, reasons: [...program.reasons, ...lane.report.reasons] },
      failed,
      get ended() {
        return ended;
      },
      get lateReasons() {
        return lateReasons;
      },
      read: () => page.read(),
      clear: () => page.clear(),
      stop,
      [Symbol.asyncDispose]: async () => {
        await lane.stop();
        page.close();
      },
    };
  } catch (error) {
    page.close();
    throw error;
  }
}
