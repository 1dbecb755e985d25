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

/** From when frames were to be sent until an application had them. [ns] */
export interface EndToEndTimes {
  readonly p50: number;
  readonly p99: number;
}

/** Where a frame has the time at which it was to be sent: behind Ethernet, IPv4 and UDP, an f64. [byte offset] */
const STAMP = 42;
const BURST = 64;

/** Opens the ports. */
export function createLane(_: LaneContext, { ports, received, window }: GatewayAppsData): LaneProgram {
  const opened = ports.map((spec) => openPort(spec));
  const histogram = Histogram.create();
  return {
    pollables: opened.map((port, index) => new App({ port, index, received, window, histogram })),
    close: () => {
      for (const port of opened) port.close();
    },
    result: (): EndToEndTimes => ({ p50: histogram.percentile(50), p99: histogram.percentile(99) }),
  };
}

interface AppSpec {
  readonly port: Port;
  readonly index: number;
  readonly received: Float64Array<SharedArrayBuffer>;
  readonly window: MeasuringWindow;
  readonly histogram: Histogram;
}

class App implements Pollable {
  readonly fds: readonly number[];
  readonly #spec: AppSpec;
  readonly #view: DataView;
  readonly #burst = new Burst(BURST);

  constructor(spec: AppSpec) {
    this.fds = spec.port.fds;
    this.#spec = spec;
    this.#view = spec.port.regions[0]!.view;
  }

  poll(): number {
    const { port, index, received, window, histogram } = this.#spec;
    const burst = this.#burst;
    const count = port.rx(burst);
    if (count === 0) return 0;
    const now = nowNs();
    if (now >= window[0]! && now < window[1]!) {
      for (let i = 0; i < count; i++) histogram.record(now - this.#view.getFloat64(burst.addr[i]! + STAMP));
    }
    received[index]! += count;
    port.recycle(burst);
    return count;
  }

  arm(): boolean {
    return this.#spec.port.arm();
  }
}
