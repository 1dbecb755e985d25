import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lane, siblingUrl } from '../../src/lane/index.ts';
import { startGateway } from '../../src/operate/index.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores, nowNs } from '../../src/sys/index.ts';
import type { BenchCase, BenchContext, Measurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import { CoreProbe, FAST_NS } from './coreProbe.ts';
import type { GatewayAppsData, GatewayArrivals } from './gatewayApps.ts';
import { writeGatewayCapture } from './gatewayCapture.ts';
import type { GatewayHopEnd, GatewayHopTask, HopTimes } from './gatewayHop.ts';
import type { GatewaySenderData } from './gatewaySender.ts';
import { type MeasuringWindow, measuringWindow } from './gatewayStamps.ts';
import type { GatewayThreadData, GatewayTimes } from './gatewayThread.ts';
import { needsRoot } from './needsRoot.ts';

/** Of the first application; the second has the next. */
const UDP_PORT = 9000;
/** Frames come one at a time: the sender, and the application on the same core, are through with one before the next. [frames/s] */
const RATE = 50_000;
/** V8 compiles the path of a frame. [s] */
const WARM_UP = 0.3;
const CONNECT_MS = 10_000;

/** What a gateway adds to a frame on its way, and how many frames it forwards. */
export const gateway: BenchCase = {
  name: 'gateway',
  about: `gateway: what it adds to a frame from an interface (veth) to an application over memif, at ${RATE} frames/s; how many it forwards from a capture`,
  kind: 'system',
  needs: needsRoot,
  async run(context) {
    await using bench = new GatewayBench(context);
    return await bench.run();
  },
};

/** Times of a round, all in the same mode of the machine. [ns] */
interface Times {
  readonly hop: HopTimes;
  readonly own: GatewayTimes;
  readonly endToEnd: GatewayArrivals;
}

class GatewayBench implements AsyncDisposable {
  readonly #context: BenchContext;
  readonly #probe = new CoreProbe();
  readonly #folder = mkdtempSync(join(tmpdir(), 'barewire-bench-'));
  readonly #network = new DemoNetwork();
  readonly #first = allowedCores()[0]!;
  readonly #last = allowedCores().at(-1)!;
  readonly #seconds: number;
  #sockets = 0;
  #dropped = 0;

  constructor(context: BenchContext) {
    this.#context = context;
    this.#seconds = context.seconds(0.4);
  }

  async run(): Promise<Measurement[]> {
    const fast: Times[] = [];
    const slow: Times[] = [];
    const rates: [number[], number[]] = [[], []];
    const coreNs: number[] = [];
    for await (const _ of this.#context.rounds(3)) {
      const times = await this.#probe.steady(async () => ({
        hop: await this.#hop(),
        ...(await this.#oneAtATime()),
      }));
      if (times !== undefined && isWhole(times.value)) {
        (times.coreNs < FAST_NS ? fast : slow).push(times.value);
        coreNs.push(times.coreNs);
      } else this.#dropped++;
      const both = await this.#probe.steady(async () => [await this.#forwarded(1), await this.#forwarded(2)]);
      if (both !== undefined && !both.value.some(Number.isNaN)) {
        for (const [apps, values] of rates.entries()) values.push(both.value[apps]!);
      } else this.#dropped++;
    }
    this.#notes(coreNs, [...fast, ...slow]);
    return [
      ...figuresOf('fast', fast),
      ...figuresOf('slow', slow),
      { figure: 'to 1 application', unit: 'Mpps', ours: rates[0] },
      { figure: 'to 2 applications', unit: 'Mpps', ours: rates[1] },
    ].filter(({ ours }) => ours.length > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#network.close();
    rmSync(this.#folder, { recursive: true });
    await this.#probe[Symbol.asyncDispose]();
  }

  #notes(coreNs: readonly number[], times: readonly Times[]): void {
    const { note } = this.#context;
    if (this.#dropped > 0) {
      note(
        `${this.#dropped} measurements were given up: the distance of the cores changed every time, or too few frames came`,
      );
    }
    if (times.length === 0) return;
    const clocks = times.map(({ own }) => own.clock);
    note(
      `a record there and back between the cores took ${span(coreNs)} ns (below ${FAST_NS} is the fast mode); ` +
        `reading the clock takes ${span(clocks)} ns, and is once in each time`,
    );
  }

  #freshSocket(): string {
    return join(this.#folder, `${this.#sockets++}`);
  }

  /** From one thread to another over memif. */
  async #hop(): Promise<HopTimes> {
    const common = { socket: this.#freshSocket(), seconds: this.#seconds };
    const module = siblingUrl(import.meta.url, './gatewayHop');
    const start = (core: number): Isolate<GatewayHopTask, HopTimes> => {
      return new Isolate(module, { core } satisfies GatewayHopEnd);
    };
    await using server = start(this.#last);
    await using client = start(this.#first);
    const [, times] = await Promise.all([
      server.ask({ ...common, role: 'server' }),
      client.ask({ ...common, role: 'client' }),
    ]);
    return times;
  }

  /** Single frames from a socket of the kernel to an application; these two share a core, the gateway has its own. */
  async #oneAtATime(): Promise<Omit<Times, 'hop'>> {
    const socket = this.#freshSocket();
    const window = measuringWindow();
    const { sender, receiver } = this.#network;
    await using forwarding = await this.#start('./gatewayThread', {
      ...{ core: this.#last, idle: 'busySpin', netns: receiver.namespace.path },
      data: {
        ...{
          from: `xdp:${receiver.interface}`,
          to: `memif:${socket}?role=server`,
          udpPort: UDP_PORT,
          window,
        },
      } satisfies GatewayThreadData,
    });
    const received = receivedBy(1);
    await using app = await this.#start('./gatewayApps', {
      ...{ core: this.#first, idle: 'yield' },
      data: { ports: [`memif:${socket}`], received, window } satisfies GatewayAppsData,
    });
    await using _sending = await this.#start('./gatewaySender', {
      ...{ core: this.#first, idle: 'yield', netns: sender.namespace.path },
      data: {
        ...{ address: receiver.address, udpPort: UDP_PORT, intervalNs: 1e9 / RATE },
      } satisfies GatewaySenderData,
    });
    await allReceive(received);
    await this.#open(window);
    await Promise.all([forwarding.stop(), app.stop()]);
    return {
      own: (await forwarding.done) as GatewayTimes,
      endToEnd: (await app.done) as GatewayArrivals,
    };
  }

  /** Frames as fast as the gateway takes them, and applications on one thread. @returns what these received [Mpps] */
  async #forwarded(apps: 1 | 2): Promise<number> {
    const sockets = Array.from({ length: apps }, () => this.#freshSocket());
    const capture = join(this.#folder, `${apps}.pcapng`);
    writeGatewayCapture(
      capture,
      sockets.map((_, i) => UDP_PORT + i),
    );
    await using _gateway = await startGateway({
      ...{ from: `pcap:${capture}?loop=1000000000`, core: this.#last, idle: 'busySpin' },
      destinations: sockets.map((socket, i) => ({
        to: `memif:${socket}`,
        flows: [{ port: UDP_PORT + i }],
      })),
    });
    const received = receivedBy(apps);
    const window = measuringWindow();
    await using receiving = await this.#start('./gatewayApps', {
      ...{ core: this.#first, idle: 'busySpin' },
      data: {
        ports: sockets.map((socket) => `memif:${socket}`),
        ...{ received, window },
      } satisfies GatewayAppsData,
    });
    await allReceive(received);
    await this.#open(window);
    await receiving.stop();
    return ((await receiving.done) as GatewayArrivals).rate;
  }

  /** Has measurements count after the warm-up, and waits until they are over. */
  async #open(window: MeasuringWindow): Promise<void> {
    window[1] = nowNs() + (WARM_UP + this.#seconds) * 1e9;
    window[0] = window[1] - this.#seconds * 1e9;
    await sleep((WARM_UP + this.#seconds) * 1e3);
  }

  /** Not strict: two lanes leave no core for the rest of the process, and say so. */
  #start(module: string, spec: Omit<Parameters<typeof Lane.start>[0], 'module'>): Promise<Lane> {
    return Lane.start({ module: siblingUrl(import.meta.url, module), ...spec });
  }
}

/** A machine that is busy with other things may let no frame through. */
function isWhole({ hop, own, endToEnd }: Times): boolean {
  return !Number.isNaN(hop.p50 + own.p50 + endToEnd.p50);
}

function span(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.round);
  return `${least} to ${most}`;
}

function receivedBy(apps: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(8 * apps));
}

/** Waits until every application has got a frame. */
async function allReceive(received: Float64Array): Promise<void> {
  for (let ms = 0; received.includes(0); ms += 5) {
    if (ms > CONNECT_MS)
      throw new Error('Cannot measure the gateway: an application got nothing within 10 s');
    await sleep(5);
  }
}

/** Only the fast mode is held against the target. */
function figuresOf(mode: 'fast' | 'slow', times: readonly Times[]): Measurement[] {
  const figure = (name: string, ns: (times: Times) => number): Measurement => {
    return { figure: `${name}, ${mode}`, unit: 'us', ours: times.map((each) => ns(each) / 1e3) };
  };
  const added = figure('added p50', ({ own, hop }) => own.p50 + hop.p50);
  return [
    mode === 'fast' ? { ...added, target: { op: '<=', value: 1.5 } } : added,
    figure('own thread p50', ({ own }) => own.p50),
    figure('own thread p99', ({ own }) => own.p99),
    figure('hop p50', ({ hop }) => hop.p50),
    figure('hop p99', ({ hop }) => hop.p99),
    figure('end to end p50', ({ endToEnd }) => endToEnd.p50),
    figure('end to end p99', ({ endToEnd }) => endToEnd.p99),
  ];
}
