import { setTimeout as sleep } from 'node:timers/promises';
import { allowedCores, explainRefusal, SystemError, UnsupportedError } from '../../sys/index.ts';
import { type RunningReceiver, receiveOrders } from '../receiveOrders.ts';
import type { LatencyReading, ReceiverReading } from '../receiverPage.ts';
import { DemoNetwork } from './demoNetwork.ts';
import { startDgram } from './startDgram.ts';
import { startSender } from './startSender.ts';

/** What the demo runs. */
export interface DemoOptions {
  /** default 50,000 [orders per second] */
  readonly rate?: number;
  /** of each path; default 5 */
  readonly seconds?: number;
  /** of the order flow; default 1 */
  readonly seed?: number;
  /** throw instead of falling back to kernel sockets; default false */
  readonly strict?: boolean;
  /** called some times a second */
  readonly onProgress?: (progress: DemoProgress) => void;
  /** ends the demo early, with an AbortError */
  readonly signal?: AbortSignal;
}

/** Where a path stands. */
export interface DemoProgress extends ReceiverReading {
  readonly via: string;
  /** 0 to 1 */
  readonly done: number;
  /** since the last call [orders per second] */
  readonly perSecond: number;
}

/** What one path did with the flow. */
export interface DemoPath {
  readonly via: string;
  readonly accelerated: boolean;
  readonly mode: string;
  /** one line for every step down */
  readonly reasons: readonly string[];
  readonly sent: number;
  /** rejected ones included */
  readonly received: number;
  readonly lost: number;
  /** by reason */
  readonly rejected: Readonly<Record<string, number>>;
  /** what the source lost or refused, by reason */
  readonly drops: Readonly<Record<string, number>>;
  readonly trades: number;
  /** orders resting at the end */
  readonly book: number;
  readonly latencyNs: LatencyReading;
  /** worst delay of the sender itself, which is part of every figure [ns] */
  readonly senderLateNs: number;
}

/** Both paths of one run. */
export interface DemoResult {
  readonly ours: DemoPath;
  readonly dgram: DemoPath;
  /** why ours is not accelerated; undefined when it is */
  readonly reason: string | undefined;
}

/** Room for a third of a second at the default rate: on a busy host even a pinned thread may wait so long. */
const RX_RING = 16_384;
const PROGRESS_MS = 250;
/** After the last datagram: give up what has not arrived when nothing has for so long. */
const QUIET_MS = 500;

/** A place to run the demo in: two hosts with a wire, or this host's loopback. */
interface Stage extends Disposable {
  readonly via: string;
  readonly address: string;
  readonly udpPort: number;
  readonly receiverNetns: string | undefined;
  readonly senderNetns: string | undefined;
}

/**
 * The main job: orders as UDP datagrams, from a process of its own at an open-loop rate, into an order book; once over
 * AF_XDP, once over node:dgram.
 *
 * Where AF_XDP cannot be had, the same job runs over kernel UDP sockets on loopback, and says why. Nothing is left
 * behind, however it ends.
 *
 * @throws SystemError or UnsupportedError when AF_XDP cannot be had and `strict` is set
 */
export async function runDemo(options: DemoOptions = {}): Promise<DemoResult> {
  const { stage, receiver, reason } = await openStage(options.strict ?? false);
  using _ = stage;
  const ours = await runPath(stage, receiver, options);
  const control = await startDgram(stage.address, stage.udpPort, stage.receiverNetns);
  const dgram = await runPath(stage, control, options);
  return { ours, dgram, reason };
}

async function openStage(
  strict: boolean,
): Promise<{ stage: Stage; receiver: RunningReceiver; reason: string | undefined }> {
  let reason: string;
  try {
    const stage = wiredStage();
    try {
      return { stage, receiver: await startOurs(stage), reason: undefined };
    } catch (error) {
      stage[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    const explained = explainRefusal(error, {
      action: 'Cannot run the demo over',
      subject: 'AF_XDP',
      features: ['network namespace', 'interface set-up', 'AF_XDP socket', 'XDP program'],
    });
    const refused = explained instanceof SystemError || explained instanceof UnsupportedError;
    if (strict || !refused) throw explained;
    reason = explained.message;
  }
  const stage = loopbackStage();
  return { stage, receiver: await startOurs(stage), reason };
}

function wiredStage(): Stage {
  const network = new DemoNetwork();
  const { receiver, sender } = network;
  return {
    via: `xdp:${receiver.interface}?rx=${RX_RING}`,
    address: receiver.address,
    udpPort: 9000,
    receiverNetns: receiver.namespace.path,
    senderNetns: sender.namespace.path,
    [Symbol.dispose]: () => network.close(),
  };
}

function loopbackStage(): Stage {
  return {
    via: 'udp:127.0.0.1',
    address: '127.0.0.1',
    // Any free one: another demo may run on this loopback.
    udpPort: 0,
    receiverNetns: undefined,
    senderNetns: undefined,
    [Symbol.dispose]: () => {},
  };
}

/** The last core for the receiver, the first for the sender; where there is only one, both float. */
function cores(): { receiver?: number; sender?: number } {
  const allowed = allowedCores();
  return allowed.length < 2 ? {} : { receiver: allowed.at(-1)!, sender: allowed[0]! };
}

function startOurs(stage: Stage): Promise<RunningReceiver> {
  const core = cores().receiver;
  return receiveOrders({
    via: stage.via,
    udpPort: stage.udpPort,
    // Where the sender shares our core, spinning would keep it from sending.
    idle: core === undefined ? 'yield' : 'busySpin',
    ...(core === undefined ? {} : { core }),
    ...(stage.receiverNetns === undefined ? {} : { netns: stage.receiverNetns }),
  });
}

async function runPath(stage: Stage, started: RunningReceiver, options: DemoOptions): Promise<DemoPath> {
  await using receiver = started;
  const { rate = 50_000, seconds = 5, seed = 1, signal } = options;
  signal?.throwIfAborted();
  const core = cores().sender;
  const sender = startSender({
    parent: process.pid,
    address: stage.address,
    udpPort: receiver.report.udpPort,
    rate,
    seconds,
    seed,
    ...(stage.senderNetns === undefined ? {} : { netns: stage.senderNetns }),
    ...(core === undefined ? {} : { core }),
  });
  const progress = new Progress(receiver, Math.round(rate * seconds));
  const ticker = setInterval(() => options.onProgress?.(progress.next()), PROGRESS_MS);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal!.reason as Error);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const { sent, maxLateNs } = await Promise.race([sender.done, receiver.failed, aborted]);
    await Promise.race([arrivals(receiver, sent), receiver.failed, aborted]);
    const drops = await receiver.stop();
    return summary(receiver, sent, maxLateNs, drops);
  } finally {
    clearInterval(ticker);
    signal?.removeEventListener('abort', abort);
    sender.kill();
    sender.done.catch(() => {});
  }
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

function summary(
  receiver: RunningReceiver,
  sent: number,
  senderLateNs: number,
  drops: Readonly<Record<string, number>>,
): DemoPath {
  const { via, accelerated, mode, reasons } = receiver.report;
  const { received, rejected, trades, book, latencyNs } = receiver.read();
  const lost = sent - received;
  return {
    via,
    accelerated,
    mode,
    reasons,
    sent,
    received,
    lost,
    rejected,
    drops,
    trades,
    book,
    latencyNs,
    senderLateNs,
  };
}

/** Turns readings of a receiver into rates and shares. */
class Progress {
  readonly #receiver: RunningReceiver;
  readonly #total: number;
  #received = 0;
  #atMs = performance.now();

  constructor(receiver: RunningReceiver, total: number) {
    this.#receiver = receiver;
    this.#total = total;
  }

  next(): DemoProgress {
    const reading = this.#receiver.read();
    const nowMs = performance.now();
    const perSecond = ((reading.received - this.#received) / (nowMs - this.#atMs)) * 1000;
    this.#received = reading.received;
    this.#atMs = nowMs;
    const done = Math.min(1, reading.received / this.#total);
    return { ...reading, via: this.#receiver.report.via, done, perSecond };
  }
}
