// The program of a lane that runs one plain loop over any port, and tells now and then how far it is.
import type { MessagePort } from 'node:worker_threads';
import { openPorts, type Port } from '../../port/index.ts';
import { formatMac } from '../../wire/index.ts';
import type { LaneContext, LaneProgram } from '../laneSpec.ts';
import { EndWatch } from './endWatch.ts';
import { L2Forward } from './l2Forward.ts';
import { buildLoopFrame } from './loopFrame.ts';
import type { LoopPortReport, LoopReading, LoopReport } from './loopReading.ts';
import { LoopReporter } from './loopReporter.ts';
import { DEFAULT_FRAME_LEN, DEFAULT_UDP_PORT, type LoopSpec } from './loopSpec.ts';
import { DEFAULT_BURST, type PortLoop } from './portLoop.ts';
import { RxDrop } from './rxDrop.ts';
import { TxOnly } from './txOnly.ts';
import { UdpEcho } from './udpEcho.ts';

/** What the lane is given. */
export interface LoopLaneData {
  readonly spec: LoopSpec;
  /** where readings go */
  readonly readings: MessagePort;
}

const DEFAULT_INTERVAL_MS = 50;

/**
 * Opens the ports and makes the loops over them: one, or with two ports one for each direction.
 *
 * A loop that receives ends by itself when its ports are at their end.
 */
export function createLane({ nowNs, stop }: LaneContext, { spec, readings }: LoopLaneData): LaneProgram {
  using opening = new DisposableStack();
  const { udpPort = DEFAULT_UDP_PORT, strict = false, intervalMs = DEFAULT_INTERVAL_MS } = spec;
  const { ports, reasons } = opening.use(openPorts(spec.ports, { flows: [{ port: udpPort }], strict }));
  const loops = createLoops(ports, spec, udpPort);
  const opened = opening.move();
  const read = (): LoopReading => readLoops(ports, loops, nowNs());
  let last: LoopReading;
  const fds = [...new Set(loops.flatMap((loop) => loop.fds))];
  const ends = spec.verb !== 'txonly' && EndWatch.isFor(ports);
  const watches = ends ? [new EndWatch(ports, stop)] : [];
  let told = 0;
  const tell = (): void => {
    const reading = read();
    readings.postMessage(reading);
    // NB: polls that find nothing look after the interface once in 65,536, which is a minute when the lane sleeps between.
    if (reading.rxFrames + reading.txFrames === told) for (const port of ports) port.arm();
    told = reading.rxFrames + reading.txFrames;
  };
  return {
    pollables: [...loops, ...watches, new LoopReporter(fds, intervalMs * 1e6, nowNs, tell)],
    report: (): LoopReport => ({
      startNs: nowNs(),
      ports: ports.map(reportOf),
      copies: loops.some((loop) => loop instanceof L2Forward && loop.copies),
      reasons: [...reasons, ...ports.flatMap(({ report }) => report.reasons)],
    }),
    close: () => {
      last = read();
      opened.dispose();
    },
    result: (): LoopReading => last,
  };
}

function createLoops(ports: readonly Port[], spec: LoopSpec, udpPort: number): PortLoop[] {
  const { verb, burst = DEFAULT_BURST, frameLen = DEFAULT_FRAME_LEN, destinationMac } = spec;
  const [port, other = port] = ports as readonly [Port, Port?];
  switch (verb) {
    case 'rxdrop':
      return [new RxDrop(port, { burst })];
    case 'txonly': {
      const to = destinationMac === undefined ? {} : { destinationMac };
      const from = { sourceMac: formatMac(port.mac), mtu: port.mtu };
      return [new TxOnly(port, buildLoopFrame({ ...to, ...from, udpPort, frameLen }), { burst })];
    }
    case 'l2fwd': {
      const there = new L2Forward(port, other, { burst });
      return port === other ? [there] : [there, new L2Forward(other, port, { burst })];
    }
    case 'echo':
      return [new UdpEcho(port, { burst })];
  }
}

function reportOf({ spec, report: { via, accelerated, mode } }: Port): LoopPortReport {
  return { spec, via, accelerated, mode };
}

function readLoops(ports: readonly Port[], loops: readonly PortLoop[], atNs: number): LoopReading {
  const all = ports.map((port) => port.statistics());
  const sum = (name: 'rxFrames' | 'rxBytes' | 'txFrames' | 'txBytes'): number =>
    all.reduce((total, statistics) => total + statistics[name], 0);
  const drops: Record<string, number> = {};
  for (const lost of [...all.map((statistics) => statistics.drops), ...loops.map((loop) => loop.drops())]) {
    for (const [reason, count] of Object.entries(lost)) {
      if (count > 0) drops[reason] = (drops[reason] ?? 0) + count;
    }
  }
  const wakeups = all.flatMap((statistics) => statistics.wakeups ?? []);
  return {
    atNs,
    rxFrames: sum('rxFrames'),
    rxBytes: sum('rxBytes'),
    txFrames: sum('txFrames'),
    txBytes: sum('txBytes'),
    ...(wakeups.length === 0 ? {} : { wakeups: wakeups.reduce((total, count) => total + count) }),
    untagged: loops.reduce((total, loop) => total + (loop.untagged ?? 0), 0),
    drops,
  };
}
