/**
 * The two ends of the `rtt` case: a worker in one network namespace, on one core, that calls or answers as it is told.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { NetworkNamespace, pinThread } from '../../src/sys/index.ts';
import { answerDgram, callDgram } from './rttDgram.ts';
import { answerSockets, callSockets } from './rttSockets.ts';
import { answerXdp, callXdp } from './rttXdp.ts';

/** How the orders travel. */
export type RttVia = 'AF_XDP' | 'spinning UDP sockets' | 'node:dgram';

/** Where an end lives. */
export interface RttEnd {
  readonly netns: string;
  readonly interface: string;
  readonly address: string;
  readonly peerAddress: string;
  readonly core: number;
}

/** What an end is to do. The caller stops after so many seconds, the answerer when the caller has. */
export interface RttTask {
  readonly role: 'call' | 'answer';
  readonly via: RttVia;
  readonly seconds: number;
}

/** Round-trip times of a caller; of an answerer they mean nothing. [ns] */
export interface RttTimes {
  readonly p50: number;
  readonly p99: number;
  readonly 'p99.9': number;
  /** orders that had to be sent again */
  readonly lost: number;
}

/** One way for orders to travel, both ends of it. */
interface Way {
  readonly call: (end: RttEnd, seconds: number) => RttTimes | Promise<RttTimes>;
  readonly answer: (end: RttEnd, seconds: number) => void | Promise<void>;
}

const WAYS: Readonly<Record<RttVia, Way>> = {
  AF_XDP: { call: callXdp, answer: answerXdp },
  'spinning UDP sockets': { call: callSockets, answer: answerSockets },
  'node:dgram': { call: callDgram, answer: answerDgram },
};

const end = workerData as RttEnd;
{
  using namespace = NetworkNamespace.open(end.netns);
  namespace.enter();
}
pinThread(end.core);

parentPort!.on('message', async ({ role, via, seconds }: RttTask) => {
  const way = WAYS[via];
  const times = role === 'call' ? await way.call(end, seconds) : await way.answer(end, seconds);
  parentPort!.postMessage(times);
});
