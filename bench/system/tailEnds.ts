/**
 * The two ends of the `tail` case: a worker in one network namespace, on one core, that calls or answers over AF_XDP.
 */
import { GCProfiler, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { workerData } from 'node:worker_threads';
import { openPort, type Port } from '../../src/port/index.ts';
import { NetworkNamespace, nowNs, pinThread } from '../../src/sys/index.ts';
import type { UdpFrameSpec } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';
import { GRACE_SECONDS, LAST_TRIP } from './rttTrip.ts';
import { TailClient, WARM_TRIP } from './tailClient.ts';
import { TailEcho } from './tailEcho.ts';

/** Where an end lives. */
export interface TailEnd {
  readonly role: 'client' | 'echo';
  readonly netns: string;
  readonly interface: string;
  readonly core: number;
  /** from client to echo */
  readonly ends: UdpFrameSpec;
}

/** What both ends are to do. */
export interface TailTask {
  /** before that, and not measured */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** [messages per second] */
  readonly rate: number;
}

/** What an end saw, warm-up left out. */
export interface TailResult {
  /** a Histogram of latencies; an echo's is undefined [ns] */
  readonly latencies: ArrayBuffer | undefined;
  /** messages that did not come back; 0 of an echo */
  readonly lost: number;
  /** garbage collections in this isolate */
  readonly collections: number;
}

const end = workerData as TailEnd;
{
  using namespace = NetworkNamespace.open(end.netns);
  namespace.enter();
}
pinThread(end.core);

serve(end.role === 'client' ? call : answer);

function call({ warmUpSeconds, seconds, rate }: TailTask): TailResult {
  using port = open(end.ends.sourcePort);
  const client = new TailClient(port, end.ends);
  const warmUp = Math.round(warmUpSeconds * rate);
  client.run(0, warmUp, 1e9 / rate);
  client.tell(WARM_TRIP);
  let lost = 0;
  const collections = collectionsWhile(() => {
    lost = client.run(warmUp, Math.round(seconds * rate), 1e9 / rate);
  });
  client.tell(LAST_TRIP);
  return { latencies: client.memory, lost, collections };
}

function answer({ warmUpSeconds, seconds }: TailTask): TailResult {
  using port = open(end.ends.destinationPort);
  const echo = new TailEcho(port, nowNs() + (warmUpSeconds + seconds + GRACE_SECONDS) * 1e9);
  echo.warmUp();
  const collections = collectionsWhile(() => echo.run());
  return { latencies: undefined, lost: 0, collections };
}

/** What the C program opens: native mode, copies, rings of 2,048. */
function open(udpPort: number): Port {
  return openPort(`xdp:${end.interface}?mode=copy&attach=native`, {
    flows: [{ port: udpPort }],
    strict: true,
  });
}

// A context made after the flag was set has the function.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' }) => void;

/**
 * Counts the garbage collections of this isolate while `work` runs; an observer would need its event loop to turn.
 *
 * What opening a port and compiling have left behind is collected first: it is not the doing of `work`.
 */
function collectionsWhile(work: () => void): number {
  const profiler = new GCProfiler();
  collectGarbage({ type: 'minor' });
  profiler.start();
  work();
  return profiler.stop().statistics.length;
}
