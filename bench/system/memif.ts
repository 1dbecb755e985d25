import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runLoop, siblingUrl } from '../../src/lane/index.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { receiveOrders } from '../../src/order/index.ts';
import { allowedCores, link, withNetns } from '../../src/sys/index.ts';
import type { BenchCase, BenchContext, Measurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import { ORDER_PORT } from '../micro/orderFrames.ts';
import { CoreProbe, FAST_NS, type Steady } from './coreProbe.ts';
import type { FrameTripEnd, FrameTripTask, FrameTripTimes } from './frameTrip.ts';
import type { MemifOrdersEnd, SentOrders } from './memifOrders.ts';
import { needsRoot } from './needsRoot.ts';
import { type ForwardMode, needsTestpmd, Testpmd } from './testpmd.ts';

const BURSTS = [32, 64] as const;
const RING = 1024;
const FRAME_LEN = 64;
/** The flow leaves 8,192 at rest; the index of a far larger book would not fit the cache. */
const BOOK_ORDERS = 1 << 16;
/** V8 compiles the loop, and the caches fill. [s] */
const WARM_UP = 0.4;

/** memif beside testpmd's own, between programs of ours, and into the book. */
export const memif: BenchCase = {
  name: 'memif',
  about: `memif: frames of ${FRAME_LEN} bytes to and from dpdk-testpmd and between programs of ours, one core each`,
  kind: 'system',
  needs: () => needsTestpmd() ?? needsRoot(),
  async run(context) {
    await using bench = new MemifBench(context);
    return await bench.run();
  },
};

/** A rate of ours, and that of testpmd in our place. [Mpps] */
interface Rates {
  readonly ours: number[];
  readonly peer: number[];
}

class MemifBench implements AsyncDisposable {
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
    this.#seconds = context.seconds(0.6);
  }

  async run(): Promise<Measurement[]> {
    const rates = new Map<string, Rates>();
    for (const burst of BURSTS) {
      for (const way of ['tx', 'rx']) rates.set(`${way} burst ${burst}`, { ours: [], peer: [] });
    }
    const trips = { fast: [] as number[], slow: [] as number[], beside: [] as number[] };
    const oneWay: number[] = [];
    const booked: number[] = [];
    const missing: number[] = [];
    const coreNs: number[] = [];
    for await (const _ of this.#context.rounds(5)) {
      for (const burst of BURSTS) {
        for (const way of ['tx', 'rx'] as const) {
          const both = await this.#steady(async () => ({
            ours: await this.#ours(way, burst),
            peer: await this.#testpmdAlone(way, burst),
          }));
          if (both === undefined) continue;
          rates.get(`${way} burst ${burst}`)!.ours.push(both.value.ours);
          rates.get(`${way} burst ${burst}`)!.peer.push(both.value.peer);
          coreNs.push(both.coreNs);
        }
      }
      const trip = await this.#steady(async () => ({
        memif: await this.#trip(),
        xdp: await this.#tripXdp(),
      }));
      if (trip !== undefined) {
        const { memif: ours, xdp } = trip.value;
        const fast = trip.coreNs < FAST_NS;
        (fast ? trips.fast : trips.slow).push(ours.p50 / 1e3);
        if (fast) trips.beside.push(xdp.p50 / 1e3);
      }
      const own = await this.#steady(() => this.#oneWay());
      if (own !== undefined) oneWay.push(own.value);
      const orders = await this.#steady(() => this.#orders());
      if (orders !== undefined) {
        booked.push(orders.value.booked);
        missing.push(orders.value.missing);
      }
    }
    this.#notes(coreNs);
    return [
      ...[...rates].map(([figure, { ours, peer }]): Measurement => {
        const least = figure.startsWith('tx') ? 1 : 0.95;
        const beside = {
          name: 'dpdk-testpmd client',
          values: peer,
          target: { op: '>=', value: least },
        } as const;
        return { figure, unit: 'Mpps', ours, peers: [beside] };
      }),
      {
        figure: 'round trip, fast',
        unit: 'us',
        ours: trips.fast,
        target: { op: '<', value: 1 },
        peers: [{ name: 'AF_XDP', values: trips.beside, target: { op: '<=', value: 0.1 } }],
      },
      { figure: 'round trip, slow', unit: 'us', ours: trips.slow },
      { figure: 'ours to ours', unit: 'Mpps', ours: oneWay, target: { op: '>=', value: 5 } },
      { figure: 'into the book', unit: 'M orders/s', ours: booked, target: { op: '>=', value: 3 } },
      { figure: 'orders missing', unit: 'orders', ours: missing, target: { op: '<=', value: 0 } },
    ].filter(({ ours }) => ours.length > 0) as Measurement[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#network.close();
    rmSync(this.#folder, { recursive: true });
    await this.#probe[Symbol.asyncDispose]();
  }

  #notes(coreNs: readonly number[]): void {
    const [least, most] = [Math.min(...coreNs), Math.max(...coreNs)].map(Math.round);
    this.#context.note(
      `a record there and back between the cores took ${least} to ${most} ns (below ${FAST_NS} is the fast mode); ` +
        `${this.#dropped} measurements were given up, since it changed every time`,
    );
  }

  async #steady<T>(run: () => Promise<T>): Promise<Steady<T> | undefined> {
    const steady = await this.#probe.steady(run);
    if (steady === undefined) this.#dropped++;
    return steady;
  }

  #freshSocket(): string {
    return join(this.#folder, `${this.#sockets++}`);
  }

  /** testpmd on the first core. */
  #testpmd(
    socket: string,
    role: 'client' | 'server',
    mode: ForwardMode,
    burst: number,
    core: number,
  ): Promise<Testpmd> {
    return Testpmd.start({
      ...{ mode, burst, core, ringSize: RING, frameLen: FRAME_LEN },
      commandCore: core === this.#first ? this.#last : this.#first,
      device: `net_memif0,role=${role},socket=${socket},socket-abstract=no,rsize=${Math.log2(RING)}`,
    });
  }

  /** Our client beside testpmd's server. [Mpps] */
  async #ours(way: 'tx' | 'rx', burst: number): Promise<number> {
    const socket = this.#freshSocket();
    await using server = await this.#testpmd(
      socket,
      'server',
      way === 'tx' ? 'rxonly' : 'txonly',
      burst,
      this.#first,
    );
    await using _client = await runLoop({
      ...{
        verb: way === 'tx' ? 'txonly' : 'rxdrop',
        burst,
        frameLen: FRAME_LEN,
        core: this.#last,
        strict: true,
      },
      ports: [`memif:${socket}?ring=${RING}`],
    });
    return await this.#rate(server, way);
  }

  /** testpmd's client beside testpmd's server. [Mpps] */
  async #testpmdAlone(way: 'tx' | 'rx', burst: number): Promise<number> {
    const socket = this.#freshSocket();
    const [from, to] = way === 'tx' ? (['rxonly', 'txonly'] as const) : (['txonly', 'rxonly'] as const);
    await using server = await this.#testpmd(socket, 'server', from, burst, this.#first);
    await using _client = await this.#testpmd(socket, 'client', to, burst, this.#last);
    return await this.#rate(server, way);
  }

  /** What the server receives, or sends: the same counter whoever the client is. [Mpps] */
  async #rate(server: Testpmd, way: 'tx' | 'rx'): Promise<number> {
    await sleep(WARM_UP * 1e3);
    const startMs = performance.now();
    const before = await server.read();
    await sleep(this.#seconds * 1e3);
    const after = await server.read();
    const us = (performance.now() - startMs) * 1e3;
    return way === 'tx' ? (after.rxFrames - before.rxFrames) / us : (after.txFrames - before.txFrames) / us;
  }

  /** One frame at a time through testpmd, over memif. */
  async #trip(): Promise<FrameTripTimes> {
    const socket = this.#freshSocket();
    await using _server = await this.#testpmd(socket, 'server', 'macswap', 1, this.#first);
    await using caller = this.#caller();
    return await caller.ask({ via: `memif:${socket}`, seconds: this.#seconds });
  }

  /** One frame at a time through testpmd, over AF_XDP in copy mode on veth. */
  async #tripXdp(): Promise<FrameTripTimes> {
    const { sender, receiver } = this.#network;
    await using _server = await Testpmd.start({
      ...{ namespace: receiver.namespace, mode: 'macswap', burst: 1, ringSize: RING, frameLen: FRAME_LEN },
      device: `net_af_xdp0,iface=${receiver.interface},force_copy=1`,
      ...{ core: this.#first, commandCore: this.#last },
    });
    await using caller = this.#caller(sender.namespace.path);
    const peerMac = withNetns(receiver.namespace, () => link(receiver.interface).mac!);
    return await caller.ask({ via: `xdp:${sender.interface}?mode=copy`, peerMac, seconds: this.#seconds });
  }

  #caller(netns?: string): Isolate<FrameTripTask, FrameTripTimes> {
    const end: FrameTripEnd = { core: this.#last, ...(netns === undefined ? {} : { netns }) };
    return new Isolate(siblingUrl(import.meta.url, './frameTrip'), end);
  }

  /** Between two lanes of ours. [Mpps] */
  async #oneWay(): Promise<number> {
    const socket = this.#freshSocket();
    // Not strict: two lanes leave no core for the rest of the process, and say so.
    const common = { burst: 64, frameLen: FRAME_LEN, intervalMs: 10 } as const;
    const receiver = {
      ...common,
      verb: 'rxdrop',
      core: this.#first,
      ports: [`memif:${socket}?role=server`],
    } as const;
    const sender = { ...common, verb: 'txonly', core: this.#last, ports: [`memif:${socket}`] } as const;
    await using receiving = await runLoop(receiver);
    await using _sending = await runLoop(sender);
    await sleep(WARM_UP * 1e3);
    const before = await receiving.next();
    await sleep(this.#seconds * 1e3);
    const after = await receiving.next();
    return ((after.rxFrames - before.rxFrames) / (after.atNs - before.atNs)) * 1e3;
  }

  /** From a sender of ours into the book of a receiver. */
  async #orders(): Promise<{ booked: number; missing: number }> {
    const socket = this.#freshSocket();
    await using receiver = await receiveOrders({
      ...{ via: `memif:${socket}?role=server`, udpPort: ORDER_PORT, core: this.#first, idle: 'busySpin' },
      maxOrders: BOOK_ORDERS,
    });
    const end: MemifOrdersEnd = { core: this.#last, via: `memif:${socket}` };
    await using sender = new Isolate<number, SentOrders>(siblingUrl(import.meta.url, './memifOrders'), end);
    const warm = await sender.ask(WARM_UP);
    const { orders, ns } = await sender.ask(this.#seconds);
    await sleep(50);
    const { received } = receiver.read();
    return { booked: (orders / ns) * 1e3, missing: warm.orders + orders - received };
  }
}
