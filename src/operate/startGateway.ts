import { MessageChannel } from 'node:worker_threads';
import type { FlowSpec } from '../bpf/index.ts';
import { type IdleName, Lane, siblingUrl } from '../lane/index.ts';
import { parsePortSpec } from '../port/index.ts';
import type { GatewayOut, GatewayReading } from './gateway.ts';
import { receivedFlows } from './gatewayFlows.ts';
import type { GatewayLaneData, GatewayLaneReport } from './gatewayLane.ts';

/** Which flows go where. */
export interface StartGatewaySpec {
  /** port that the flows arrive on: `xdp:eth0` */
  readonly from: string;
  /** who gets them: `memif:/run/app1?mode=0660&secretFile=/etc/app1.secret` and its flows */
  readonly destinations: readonly { readonly to: string; readonly flows: readonly FlowSpec[] }[];
  /** what destinations may send; default `flow` */
  readonly out?: GatewayOut;
  /** most descriptors of a poll, of each port; default 64 */
  readonly burst?: number;
  /** core to pin the gateway to; default none */
  readonly core?: number;
  /** default `block` */
  readonly idle?: IdleName;
  /** network namespace to open the ports in: a path; default the process's own */
  readonly netns?: string;
  /** refuse to run weaker than asked; default false */
  readonly strict?: boolean;
  /** time between two readings; default 1000 [ms] */
  readonly intervalMs?: number;
  /** hears how far the gateway is */
  readonly onReading?: (reading: GatewayReading) => void;
}

/** A gateway that runs on a thread of its own. */
export interface RunningGateway extends AsyncDisposable {
  readonly report: GatewayLaneReport;
  /** rejects with what ended the gateway, should it end by itself; never resolves */
  readonly failed: Promise<never>;
  /** Stops it and closes its ports. @returns the last reading */
  stop(): Promise<GatewayReading>;
}

/**
 * Starts a lane that forwards flows, and resolves once it runs.
 *
 * @throws TypeError when a destination has no flow or stands twice, a flow stands twice, or a secret is in a spec
 * @throws what opening a port throws, such as SystemError EPERM, ENODEV, EADDRINUSE
 */
export async function startGateway(spec: StartGatewaySpec): Promise<RunningGateway> {
  checkSecrets([spec.from, ...spec.destinations.map(({ to }) => to)]);
  checkDestinations(spec.destinations);
  const { port1: readings, port2 } = new MessageChannel();
  readings.on('message', (reading: GatewayReading) => spec.onReading?.(reading));
  readings.unref();
  const { from, destinations, out = 'flow', burst = 64, strict = false, intervalMs = 1000 } = spec;
  const data: GatewayLaneData = {
    ...{ from, out, burst, strict, intervalMs },
    destinations: destinations.map(({ to, flows }) => ({ to: asServer(to), flows })),
    readings: port2,
  };
  try {
    const lane = await Lane.start({
      module: siblingUrl(import.meta.url, './gatewayLane'),
      name: 'gateway',
      data,
      transfer: [port2],
      strict,
      idle: spec.idle ?? 'block',
      ...(spec.core === undefined ? {} : { core: spec.core }),
      ...(spec.netns === undefined ? {} : { netns: spec.netns }),
    });
    const program = lane.programReport as GatewayLaneReport;
    const failed = lane.done.then(() => new Promise<never>(() => {}));
    // Whoever waits for `failed` or stops the gateway hears of an error; nobody else has to.
    failed.catch(() => {});
    const end = async (): Promise<void> => {
      await lane.stop();
      readings.close();
    };
    return {
      report: { ...program, reasons: [...program.reasons, ...lane.report.reasons] },
      failed,
      stop: async () => {
        await end();
        return (await lane.done) as GatewayReading;
      },
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    readings.close();
    throw error;
  }
}

/** Who opens a gateway waits for who wants packets: unless told otherwise it is the server of a `memif:` destination. */
function asServer(to: string): string {
  const { scheme, options } = parsePortSpec(to);
  if (scheme !== 'memif' || options.has('role')) return to;
  return `${to}${to.includes('?') ? '&' : '?'}role=server`;
}

/** Command lines are public. The text is not repeated here: it has the secret. */
function checkSecrets(specs: readonly string[]): void {
  for (const spec of specs) {
    const { scheme, target, options } = parsePortSpec(spec);
    if (options.has('secret')) {
      throw new TypeError(`Cannot open ${scheme}:${target}: a secret comes from a file, by secretFile=PATH`);
    }
  }
}

function checkDestinations(destinations: StartGatewaySpec['destinations']): void {
  if (destinations.length === 0) throw new TypeError('Cannot open gateway: name a destination');
  const seen = new Set<string>();
  for (const { to } of destinations) {
    const { scheme, target } = parsePortSpec(to);
    const place = `${scheme}:${target}`;
    if (seen.has(place)) throw new TypeError(`Cannot open gateway: destination ${place} stands twice`);
    seen.add(place);
  }
  receivedFlows(destinations.map(({ flows }) => flows));
}
