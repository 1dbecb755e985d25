/**
 * One end of a round trip: a worker that sends one frame at a time over any port and waits until it is back.
 */
import { workerData } from 'node:worker_threads';
import { Burst, copyBytes, Histogram } from '../../src/core/index.ts';
import { buildLoopFrame } from '../../src/lane/loops/loopFrame.ts';
import { openPort, type Port } from '../../src/port/index.ts';
import { NetworkNamespace, nowNs, pinThread } from '../../src/sys/index.ts';
import { formatMac } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';

/** Where the caller lives. */
export interface FrameTripEnd {
  readonly core: number;
  /** its own when absent */
  readonly netns?: string;
}

/** What to call, and for how long. */
export interface FrameTripTask {
  /** a port whose other end sends frames back */
  readonly via: string;
  /** who is at the other end; whoever it is when absent */
  readonly peerMac?: string;
  readonly seconds: number;
}

/** Round-trip times. [ns] */
export interface FrameTripTimes {
  readonly p50: number;
  readonly p99: number;
  /** frames that did not come back within 20 ms */
  readonly lost: number;
}

const UDP_PORT = 9;
const FRAME_LEN = 64;
const WARM_UP_NS = 0.3e9;
const LOST_NS = 20e6;
const CONNECT_NS = 10e9;

const { core, netns } = workerData as FrameTripEnd;
if (netns !== undefined) {
  using namespace = NetworkNamespace.open(netns);
  namespace.enter();
}
pinThread(core);

serve(({ via, peerMac, seconds }: FrameTripTask): FrameTripTimes => {
  using port = openPort(via, { flows: [{ port: UDP_PORT }] });
  const caller = new Caller(port, peerMac);
  for (const untilNs = nowNs() + CONNECT_NS; caller.call() < 0; ) {
    if (nowNs() > untilNs) throw new Error(`Cannot measure over ${via}: no frame came back within 10 s`);
  }
  const startNs = nowNs() + WARM_UP_NS;
  while (nowNs() < startNs) caller.call();
  return caller.measure(seconds);
});

class Caller {
  readonly #port: Port;
  readonly #frame: DataView;
  readonly #burst = new Burst(16);

  constructor(port: Port, peerMac: string | undefined) {
    const frame = buildLoopFrame({
      sourceMac: formatMac(port.mac),
      ...(peerMac === undefined ? {} : { destinationMac: peerMac }),
      ...{ udpPort: UDP_PORT, frameLen: FRAME_LEN, mtu: port.mtu },
    });
    this.#port = port;
    this.#frame = new DataView(frame.buffer);
  }

  measure(seconds: number): FrameTripTimes {
    const histogram = Histogram.create();
    const untilNs = nowNs() + seconds * 1e9;
    let lost = 0;
    while (nowNs() < untilNs) {
      const ns = this.call();
      if (ns < 0) lost++;
      else histogram.record(ns);
    }
    return { p50: histogram.percentile(50), p99: histogram.percentile(99), lost };
  }

  /** Sends the frame and waits for it. @returns the time it took, or -1 when it was lost [ns] */
  call(): number {
    const port = this.#port;
    const burst = this.#burst;
    burst.clear();
    if (port.alloc(burst, 1) === 0) return -1;
    copyBytes(this.#frame, 0, port.regions[burst.region[0]!]!.view, burst.addr[0]!, FRAME_LEN);
    burst.len[0] = FRAME_LEN;
    const sentNs = nowNs();
    burst.dropPrefix(port.tx(burst));
    port.flush();
    if (burst.count > 0) {
      port.recycle(burst);
      port.rx(burst);
      port.recycle(burst);
      return -1;
    }
    for (;;) {
      for (let polls = 0; polls < 1000; polls++) {
        if (port.rx(burst) === 0) continue;
        const ns = nowNs() - sentNs;
        port.recycle(burst);
        return ns;
      }
      if (nowNs() - sentNs > LOST_NS) return -1;
    }
  }
}
