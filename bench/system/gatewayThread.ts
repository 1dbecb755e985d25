/**
 * The gateway of the `gateway` case: a lane as `barewire gateway` runs it, with stamps around its ports.
 */
import { Histogram } from '../../src/core/index.ts';
import type { LaneContext, LaneProgram } from '../../src/lane/index.ts';
import { Gateway } from '../../src/operate/index.ts';
import { openPort } from '../../src/port/index.ts';
import { GatewayStamps, type MeasuringWindow, StampedPort } from './gatewayStamps.ts';

/** What stands around the gateway. */
export interface GatewayThreadData {
  readonly from: string;
  readonly to: string;
  readonly udpPort: number;
  readonly window: MeasuringWindow;
}

/** How long frames were in the gateway's hands. [ns] */
export interface GatewayTimes {
  readonly p50: number;
  readonly p99: number;
  /** what two looks at the clock in a row find: so much of the times above is the measurement itself */
  readonly clock: number;
}

const CLOCK_LOOKS = 100_000;

/** Opens the ports and makes the gateway between them. */
export function createLane({ nowNs }: LaneContext, data: GatewayThreadData): LaneProgram {
  using opening = new DisposableStack();
  const flows = [{ port: data.udpPort }];
  const stamps = new GatewayStamps(data.window);
  const from = opening.use(new StampedPort(openPort(data.from, { flows }), stamps));
  const to = opening.use(new StampedPort(openPort(data.to), stamps));
  const gateway = opening.use(new Gateway(from, [{ port: to, flows }]));
  const opened = opening.move();
  return {
    pollables: [gateway],
    close: () => opened.dispose(),
    result: (): GatewayTimes => ({
      p50: stamps.histogram.percentile(50),
      p99: stamps.histogram.percentile(99),
      clock: clockNs(nowNs),
    }),
  };
}

function clockNs(nowNs: () => number): number {
  const histogram = Histogram.create();
  for (let i = 0; i < CLOCK_LOOKS; i++) {
    const before = nowNs();
    histogram.record(nowNs() - before);
  }
  return histogram.percentile(50);
}
