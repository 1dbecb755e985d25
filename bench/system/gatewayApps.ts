/**
 * The applications of the `gateway` case, on one lane: each receives from a port of its own, looks how old the frames
 * are, and forgets them.
 */
import { Burst, Histogram, type Pollable } from '../../src/core/index.ts';
import type { LaneContext, LaneProgram } from '../../src/lane/index.ts';
import { openPort, type Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import type { MeasuringWindow } from './gatewayStamps.ts';

/** What the applications are given. */
export interface GatewayAppsData {
  /** one port for each application */
  readonly ports: readonly string[];
  /** by application, frames received so far; shared */
  readonly received: Float64Array<SharedArrayBuffer>;
  readonly window: MeasuringWindow;
}

/** What the applications have seen. */
export interface GatewayArrivals {
  /** from when a frame was to be sent until an application had it [ns] */
  readonly p50: number;
  readonly p99: number;
  /** frames for all of them together: the median over slices of {@link SLICE} [Mpps] */
  readonly rate: number;
}

/** Where a frame has the time at which it was to be sent: behind Ethernet, IPv4 and UDP, an f64. [byte offset] */
const STAMP = 42;
const BURST = 64;
/** About a millisecond when frames come as fast as they can: few are interrupted, even on a busy machine. [frames] */
const SLICE = 4096;

/** Opens the ports. */
export function createLane(_: LaneContext, { ports, received, window }: GatewayAppsData): LaneProgram {
  const opened = ports.map((spec) => openPort(spec));
  const arrivals = new Arrivals(window);
  return {
    pollables: opened.map((port, index) => new App(port, arrivals, received, index)),
    close: () => {
      for (const port of opened) port.close();
    },
    result: () => arrivals.read(),
  };
}

class Arrivals {
  readonly #window: MeasuringWindow;
  readonly #ages = Histogram.create();
  readonly #slices = Histogram.create();
  /** when the slice in hand began: in a typed array, as an own number would be an object */
  readonly #sliceStart = new Float64Array(1);
  #inSlice = 0;

  constructor(window: MeasuringWindow) {
    this.#window = window;
  }

  add(view: DataView, burst: Burst): void {
    const now = nowNs();
    if (now < this.#window[0]! || now >= this.#window[1]!) return;
    for (let i = 0; i < burst.count; i++) this.#ages.record(now - view.getFloat64(burst.addr[i]! + STAMP));
    if (this.#sliceStart[0] === 0) {
      this.#sliceStart[0] = now;
      return;
    }
    this.#inSlice += burst.count;
    if (this.#inSlice < SLICE) return;
    this.#slices.record(((now - this.#sliceStart[0]!) * SLICE) / this.#inSlice);
    this.#sliceStart[0] = now;
    this.#inSlice = 0;
  }

  read(): GatewayArrivals {
    const rate = (SLICE / this.#slices.percentile(50)) * 1e3;
    return { p50: this.#ages.percentile(50), p99: this.#ages.percentile(99), rate };
  }
}

class App implements Pollable {
  readonly fds: readonly number[];
  readonly #port: Port;
  readonly #view: DataView;
  readonly #arrivals: Arrivals;
  readonly #received: Float64Array;
  readonly #index: number;
  readonly #burst = new Burst(BURST);

  constructor(port: Port, arrivals: Arrivals, received: Float64Array, index: number) {
    this.fds = port.fds;
    this.#port = port;
    this.#view = port.regions[0]!.view;
    this.#arrivals = arrivals;
    this.#received = received;
    this.#index = index;
  }

  poll(): number {
    const burst = this.#burst;
    const count = this.#port.rx(burst);
    if (count === 0) return 0;
    this.#arrivals.add(this.#view, burst);
    this.#received[this.#index]! += count;
    this.#port.recycle(burst);
    return count;
  }

  arm(): boolean {
    return this.#port.arm();
  }
}
