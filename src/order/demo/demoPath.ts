import { setTimeout as sleep } from 'node:timers/promises';
import { allowedCores } from '../../sys/index.ts';
import { type RunningReceiver, receiveOrders } from '../receiveOrders.ts';
import type { LatencyReading } from '../receiverPage.ts';
import type { SenderPort } from './sender.ts';
import { startSender } from './startSender.ts';
import { type DemoProgress, Ticker } from './ticker.ts';

/** How a path of the demo is driven. */
export interface PathOptions {
  /** default 50,000 [orders per second] */
  readonly rate?: number;
  /** of each path; default 5 */
  readonly seconds?: number;
  /** of the order flow; default 1 */
  readonly seed?: number;
  /** called some times a second */
  readonly onProgress?: (progress: DemoProgress) => void;
  /** ends the demo early, with an AbortError */
  readonly signal?: AbortSignal;
}

/** What one path did with the flow. */
export interface DemoPath {
  readonly via: string;
  readonly accelerated: boolean;
  readonly mode: string;
  /** one line for every step down */
  readonly reasons: readonly string[];
  /** undefined where there is no sender */
  readonly sent: number | undefined;
  /** rejected ones included */
  readonly received: number;
  /** undefined where there is no sender */
  readonly lost: number | undefined;
  /** by reason */
  readonly rejected: Readonly<Record<string, number>>;
  /** what the source lost or refused, by reason */
  readonly drops: Readonly<Record<string, number>>;
  readonly trades: number;
  /** orders resting at the end */
  readonly book: number;
  /** NaN where there is no sender: nobody can tell from a capture when its frames were meant to leave */
  readonly latencyNs: LatencyReading;
  /** worst delay of the sender itself, which is part of every figure [ns] */
  readonly senderLateNs: number;
}

/** Where the sender of a path sends to, and from where. */
export interface SenderPlace {
  readonly netns: string | undefined;
  readonly address: string;
  /** sends through a port instead of a socket of the kernel */
  readonly port?: SenderPort;
}

/** Where the receiver of a path receives. */
export interface ReceiverPlace {
  readonly via: string;
  readonly udpPort: number;
  readonly netns: string | undefined;
}

const NO_LATENCY: LatencyReading = {
  p50: Number.NaN,
  p99: Number.NaN,
  p999: Number.NaN,
  max: Number.NaN,
};
/** After the last datagram: give up what has not arrived when nothing has for so long. */
const QUIET_MS = 500;

/** The last core for the receiver, the first for the sender; where there is only one, both float. */
function cores(): { receiver?: number; sender?: number } {
  const allowed = allowedCores();
  return allowed.length < 2 ? {} : { receiver: allowed.at(-1)!, sender: allowed[0]! };
}

/** Starts the receiver of a path, on a core of its own where there are several. @throws what opening its source throws */
export function startReceiver({ via, udpPort, netns }: ReceiverPlace): Promise<RunningReceiver> {
  const core = cores().receiver;
  return receiveOrders({
    via,
    udpPort,
    // Where the sender shares our core, spinning would keep it from sending.
    idle: core === undefined ? 'yield' : 'busySpin',
    ...(core === undefined ? {} : { core }),
    ...(netns === undefined ? {} : { netns }),
  });
}

/** Sends the flow to a receiver, behind a lead-in, and stops the receiver when all has arrived that will. */
export async function runPath(
  started: RunningReceiver,
  { netns, address, port }: SenderPlace,
  options: PathOptions,
): Promise<DemoPath> {
  await using receiver = started;
  const { rate = 50_000, seconds = 5, seed = 1 } = options;
  const core = cores().sender;
  const { udpPort } = receiver.report;
  options.signal?.throwIfAborted();
  const sender = startSender({
    ...{ parent: process.pid, address, udpPort, rate, seconds, seed },
    ...(port === undefined ? {} : { port }),
    ...(netns === undefined ? {} : { netns }),
    ...(core === undefined ? {} : { core }),
  });
  using aborted = new Aborted(options.signal);
  const next = <T>(event: Promise<T>): Promise<T> => Promise.race([event, receiver.failed, aborted.promise]);
  try {
    const ahead = await next(sender.leadIn);
    await next(arrivals(receiver, ahead));
    const missing = ahead - receiver.read().received;
    receiver.clear();
    using _ = new Ticker(receiver, options.onProgress, Math.round(rate * seconds));
    sender.go();
    const { sent, maxLateNs } = await next(sender.done);
    await next(arrivals(receiver, sent));
    const drops = await receiver.stop();
    const path = summary(receiver, drops);
    return {
      ...path,
      ...{ sent, lost: sent - path.received, senderLateNs: maxLateNs },
      reasons: missing === 0 ? path.reasons : [...path.reasons, `${missing} orders of the lead-in were lost`],
    };
  } finally {
    sender.kill();
    sender.done.catch(() => {});
  }
}

/** Receives what a capture holds into the book, to its end. */
export async function replayPath(started: RunningReceiver, options: PathOptions): Promise<DemoPath> {
  await using receiver = started;
  using aborted = new Aborted(options.signal);
  using _ = new Ticker(receiver, options.onProgress);
  while (!receiver.ended) await Promise.race([sleep(10), receiver.failed, aborted.promise]);
  return summary(receiver, await receiver.stop());
}

/** Waits until everything has arrived, or nothing has for a while. */
async function arrivals(receiver: RunningReceiver, sent: number): Promise<void> {
  let seen = -1;
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs += 10) {
    const { received } = receiver.read();
    if (received >= sent) return;
    if (received !== seen) quietMs = 0;
    seen = received;
    await sleep(10);
  }
}

function summary(receiver: RunningReceiver, drops: Readonly<Record<string, number>>): DemoPath {
  const { via, accelerated, mode, reasons } = receiver.report;
  const { received, rejected, trades, book, latencyNs } = receiver.read();
  const unsent = { sent: undefined, lost: undefined, senderLateNs: Number.NaN };
  const latency = via === 'pcap' ? NO_LATENCY : latencyNs;
  return {
    ...{ via, accelerated, mode, reasons, received, rejected, drops, trades, book },
    ...unsent,
    latencyNs: latency,
  };
}

/** A promise that rejects when a signal aborts, with its reason. */
class Aborted implements Disposable {
  readonly promise: Promise<never>;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: () => void;

  constructor(signal: AbortSignal | undefined) {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.promise = promise;
    this.#signal = signal;
    this.#abort = () => reject(signal!.reason as Error);
    if (signal?.aborted) this.#abort();
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener('abort', this.#abort);
  }
}
