/**
 * The lane of `barewire bench xdp` and of the `loops` case: one plain loop over AF_XDP, which tells now and then how far
 * it is.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Pollable } from '../../src/core/index.ts';
import {
  L2Forward,
  type LaneContext,
  type LaneProgram,
  type PortLoop,
  RxDrop,
  TxOnly,
  UdpEcho,
} from '../../src/lane/index.ts';
import { openPort, type Port, type PortReport, XdpPort } from '../../src/port/index.ts';

/** The plain loops by the names that the field has for them. */
export const loopVerbs = ['rxdrop', 'txonly', 'l2fwd', 'echo'] as const;

/** One of the plain loops. */
export type LoopVerb = (typeof loopVerbs)[number];

/** What the lane is given. */
export interface LoopLaneData {
  readonly verb: LoopVerb;
  /** a port: `xdp:eth0?queue=0` */
  readonly via: string;
  /** UDP destination port of the frames that are ours */
  readonly udpPort: number;
  /** most descriptors of a poll */
  readonly burst: number;
  /** what txonly sends */
  readonly frame: Uint8Array;
  /** refuse to run weaker than asked */
  readonly strict: boolean;
  /** time between two readings [ms] */
  readonly intervalMs: number;
  /** where readings go */
  readonly readings: MessagePort;
}

/** How far a loop is. */
export interface LoopReading {
  /** when this was read [monotonic ns] */
  readonly atNs: number;
  readonly rxFrames: number;
  readonly rxBytes: number;
  readonly txFrames: number;
  readonly txBytes: number;
  /** system calls that woke the kernel */
  readonly wakeups: number;
  /** frames lost, by reason; reasons that did not occur are left out */
  readonly drops: Readonly<Record<string, number>>;
}

/** Makes the loop, and what reads its counters. */
export function createLane({ nowNs }: LaneContext, data: LoopLaneData): LaneProgram {
  const port = openPort(data.via, { flows: [{ port: data.udpPort }], strict: data.strict });
  const loop = createLoop(port, data);
  const read = (): LoopReading => readLoop(port, loop, nowNs());
  let last: LoopReading;
  return {
    pollables: [loop, new Reporter(data.intervalMs * 1e6, nowNs, () => data.readings.postMessage(read()))],
    report: (): PortReport => port.report,
    close: () => {
      last = read();
      port.close();
    },
    result: (): LoopReading => last,
  };
}

function createLoop(port: Port, { verb, burst, frame }: LoopLaneData): PortLoop {
  switch (verb) {
    case 'rxdrop':
      return new RxDrop(port, { burst });
    case 'txonly':
      return new TxOnly(port, frame, { burst });
    case 'l2fwd':
      return new L2Forward(port, port, { burst });
    case 'echo':
      return new UdpEcho(port, { burst });
  }
}

function readLoop(port: Port, loop: PortLoop, atNs: number): LoopReading {
  const { drops, ...counted } = port.statistics();
  const lost = Object.entries({ ...drops, ...loop.drops() }).filter(([, count]) => count > 0);
  const { rxFrames, rxBytes, txFrames, txBytes } = counted;
  return {
    ...{ atNs, rxFrames, rxBytes, txFrames, txBytes },
    wakeups: wakeupsOf(port),
    drops: Object.fromEntries(lost),
  };
}

function wakeupsOf(port: Port): number {
  if (!(port instanceof XdpPort)) return 0;
  const { txWakeups, rxWakeups, busyPolls } = port.interface.statistics();
  return txWakeups + rxWakeups + busyPolls;
}

/** Reports every so often; looks at the clock every 64th pass only. */
class Reporter implements Pollable {
  readonly fds: readonly number[] = [];
  readonly #intervalNs: number;
  readonly #nowNs: () => number;
  readonly #report: () => void;
  #nextNs: number;
  #passes = 0;

  constructor(intervalNs: number, nowNs: () => number, report: () => void) {
    this.#intervalNs = intervalNs;
    this.#nowNs = nowNs;
    this.#report = report;
    this.#nextNs = nowNs() + intervalNs;
  }

  poll(_budget: number): number {
    this.#passes = (this.#passes + 1) & 63;
    if (this.#passes !== 0) return 0;
    const now = this.#nowNs();
    if (now < this.#nextNs) return 0;
    this.#nextNs = now + this.#intervalNs;
    this.#report();
    return 0;
  }

  arm(): boolean {
    return this.#nowNs() < this.#nextNs;
  }
}
