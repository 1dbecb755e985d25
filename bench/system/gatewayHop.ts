/**
 * One hop over memif between two threads: the server sends one frame at a time, as a gateway does, and the client looks how
 * long it took and answers, so that no frame ever waits for another.
 */
import { workerData } from 'node:worker_threads';
import { Burst, Histogram } from '../../src/core/index.ts';
import { openPort, type Port } from '../../src/port/index.ts';
import { nowNs, pinThread } from '../../src/sys/index.ts';
import { serve } from '../harness/isolate.ts';

/** Where a thread is to run. */
export interface GatewayHopEnd {
  readonly core: number;
}

/** Which end to be, and for how long. */
export interface GatewayHopTask {
  readonly socket: string;
  readonly role: 'server' | 'client';
  readonly seconds: number;
}

/** From just before the server sent a frame until the client had it, as the client says; zeros from the server. [ns] */
export interface HopTimes {
  readonly p50: number;
  readonly p99: number;
}

const FRAME_LEN = 64;
const WARM_UP_NS = 0.2e9;
const PATIENCE_NS = 10e9;
/** Stands where a time stands otherwise: there is no further frame. */
const LAST = -1;

const { core } = workerData as GatewayHopEnd;
pinThread(core);

serve(({ socket, role, seconds }: GatewayHopTask): HopTimes => {
  using port = openPort(`memif:${socket}?role=${role}`);
  const end = new HopEnd(port);
  return role === 'client' ? end.answer() : end.call(seconds);
});

class HopEnd {
  readonly #port: Port;
  readonly #view: DataView;
  readonly #burst = new Burst(4);

  constructor(port: Port) {
    this.#port = port;
    this.#view = port.regions[0]!.view;
  }

  /** Sends, and waits for each answer. */
  call(seconds: number): HopTimes {
    this.#exchange(false);
    const untilNs = nowNs() + WARM_UP_NS + seconds * 1e9;
    while (nowNs() < untilNs) this.#exchange(false);
    this.#exchange(true);
    return { p50: 0, p99: 0 };
  }

  /** Receives, and answers each. */
  answer(): HopTimes {
    const histogram = Histogram.create();
    let fromNs = 0;
    for (;;) {
      const sentNs = this.#receive();
      const now = nowNs();
      if (fromNs === 0) fromNs = now + WARM_UP_NS;
      const last = sentNs === LAST;
      if (!last && now >= fromNs) histogram.record(now - sentNs);
      this.#send(last);
      if (last) return { p50: histogram.percentile(50), p99: histogram.percentile(99) };
    }
  }

  #exchange(last: boolean): void {
    this.#send(last);
    this.#receive();
  }

  /** Sends one frame as soon as there is a peer. */
  #send(last: boolean): void {
    const port = this.#port;
    const burst = this.#burst;
    const untilNs = nowNs() + PATIENCE_NS;
    burst.clear();
    port.alloc(burst, 1);
    burst.len[0] = FRAME_LEN;
    for (;;) {
      const now = nowNs();
      this.#view.setFloat64(burst.addr[0]!, last ? LAST : now);
      if (port.tx(burst) === 1) break;
      if (now > untilNs) throw new Error(`Cannot measure ${port.spec}: no peer came within 10 s`);
    }
    burst.clear();
    port.flush();
  }

  /** Waits for a frame. @returns the time in it */
  #receive(): number {
    const port = this.#port;
    const burst = this.#burst;
    const untilNs = nowNs() + PATIENCE_NS;
    for (;;) {
      for (let polls = 0; polls < 10_000; polls++) {
        if (port.rx(burst) === 0) continue;
        const sentNs = this.#view.getFloat64(burst.addr[0]!);
        port.recycle(burst);
        return sentNs;
      }
      if (nowNs() > untilNs) throw new Error(`Cannot measure ${port.spec}: no frame came within 10 s`);
    }
  }
}
