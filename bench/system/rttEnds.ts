/**
 * The two ends of the `rtt` case: a worker at one end of a wire, on one core, that calls or answers as it is told.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { NetworkNamespace, pinThread } from '../../src/sys/index.ts';
import { answerDgram, callDgram } from './rttDgram.ts';
import { answerPort, callPort } from './rttPort.ts';
import { answerSockets, callSockets } from './rttSockets.ts';

/** How the orders travel. */
export type RttVia = 'port' | 'spinning UDP sockets' | 'node:dgram';

/** Where an end lives. */
export interface RttEnd {
  readonly netns: string | undefined;
  /** of the port to open; undefined where the kernel has this end to itself, whose sockets then stand in for it */
  readonly via: string | undefined;
  readonly address: string;
  readonly peerAddress: string;
  /** for frames; undefined where only sockets send */
  readonly peerMac: string | undefined;
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
  port: { call: callPort, answer: answerPort },
  'spinning UDP sockets': { call: callSockets, answer: answerSockets },
  'node:dgram': { call: callDgram, answer: answerDgram },
};

const end = workerData as RttEnd;
if (end.netns !== undefined) {
  using namespace = NetworkNamespace.open(end.netns);
  namespace.enter();
}
pinThread(end.core);

parentPort!.on('message', async ({ role, via, seconds }: RttTask) => {
  const way = WAYS[via === 'port' && end.via === undefined ? 'spinning UDP sockets' : via];
  const times = role === 'call' ? await way.call(end, seconds) : await way.answer(end, seconds);
  parentPort!.postMessage(times);
});
