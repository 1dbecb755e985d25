import type { MessagePort } from 'node:worker_threads';
import type { FlowSpec } from '../bpf/index.ts';
import { type LaneContext, type LaneProgram, LoopReporter } from '../lane/index.ts';
import { openPort, type Port, type PortReport, parsePortSpec } from '../port/index.ts';
import { addresses } from '../sys/index.ts';
import { parseIp } from '../wire/index.ts';
import { Gateway, type GatewayOut, type GatewayReading } from './gateway.ts';

/** What the lane is given. */
export interface GatewayLaneData {
  readonly from: string;
  readonly destinations: readonly { readonly to: string; readonly flows: readonly FlowSpec[] }[];
  readonly out: GatewayOut;
  /** most descriptors of a poll, of each port */
  readonly burst: number;
  /** refuse to run weaker than asked */
  readonly strict: boolean;
  /** time between two readings [ms] */
  readonly intervalMs: number;
  /** where readings go */
  readonly readings: MessagePort;
}

/** How a gateway runs. */
export interface GatewayLaneReport {
  readonly from: PortReport;
  /** in the order of the spec */
  readonly destinations: readonly PortReport[];
  /** what is weaker than it might be, beside what the ports say of themselves */
  readonly reasons: readonly string[];
}

/** Backends whose target is an interface of the kernel's, with addresses of this host. */
const INTERFACES: ReadonlySet<string> = new Set(['xdp', 'packet']);

/** Opens the ports and makes the gateway between them, which tells now and then how far it is. */
export function createLane({ nowNs }: LaneContext, data: GatewayLaneData): LaneProgram {
  using opening = new DisposableStack();
  const { strict, out, burst } = data;
  const own = addressesOf(data.from);
  const from = opening.use(openFrom(data));
  const routes = data.destinations.map(({ to, flows: ours }) => {
    return { port: opening.use(openPort(to, { strict })), flows: ours };
  });
  const addressed = own === undefined ? {} : { addresses: own };
  const gateway = opening.use(new Gateway(from, routes, { out, burst, ...addressed }));
  const opened = opening.move();
  const tell = (): void => data.readings.postMessage(gateway.read(nowNs()));
  let last: GatewayReading;
  return {
    pollables: [gateway, new LoopReporter(gateway.fds, data.intervalMs * 1e6, nowNs, tell)],
    report: (): GatewayLaneReport => ({
      from: plain(from.report),
      destinations: routes.map(({ port }) => plain(port.report)),
      reasons: own === undefined && out === 'flow' ? [unchecked(data.from)] : [],
    }),
    close: () => {
      last = gateway.read(nowNs());
      opened.dispose();
    },
    result: (): GatewayReading => last,
  };
}

function openFrom({ from, destinations, strict }: GatewayLaneData): Port {
  return openPort(from, { flows: destinations.flatMap((destination) => destination.flows), strict });
}

/** Addresses of the interface behind a port; undefined when there is none. */
function addressesOf(spec: string): Uint8Array[] | undefined {
  const { scheme, target } = parsePortSpec(spec);
  if (!INTERFACES.has(scheme)) return undefined;
  return addresses(target).map(({ address }) => parseIp(address));
}

function unchecked(from: string): string {
  return `${from} has no addresses of this host: what leaves is from the port of a flow, and from any address`;
}

/** Getters do not pass between threads. */
function plain({ via, accelerated, mode, reasons }: PortReport): PortReport {
  return { via, accelerated, mode, reasons: [...reasons] };
}
