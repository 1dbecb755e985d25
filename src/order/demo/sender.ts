// The demo's order source, a process of its own: real UDP datagrams at an open-loop rate, from a kernel socket or as frames
// of a port. Each order carries the time at which it was meant to leave; a sender that falls behind sends at once and keeps
// that time, so the receiver's latency includes the delay.
//
// It first sends a lead-in, says so, and waits for a word on standard input: see LeadInFlow.
import { once } from 'node:events';
import { openPort } from '../../port/index.ts';
import {
  dieWithParent,
  NetworkNamespace,
  nowNs,
  pinThread,
  SystemError,
  UdpSocket,
} from '../../sys/index.ts';
import { OrderRecord } from '../order.ts';
import { encodeIntendedTime, encodeOrder, STAMPED_ORDER_LEN } from '../protocol.ts';
import { awaitPeer } from './awaitPeer.ts';
import { LEAD_IN_ROUND, LeadInFlow } from './leadInFlow.ts';
import { OrderFlow } from './orderFlow.ts';
import { type DatagramOutput, PortDatagrams } from './portDatagrams.ts';

/** What the sender is told, as JSON in its first argument. */
export interface SenderOrders {
  /** process that this one ends with */
  readonly parent: number;
  /** network namespace to send from; the process's own when absent */
  readonly netns?: string;
  readonly address: string;
  readonly udpPort: number;
  /** sends through a port instead of a socket of the kernel */
  readonly port?: SenderPort;
  /** [orders per second] */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** core to pin to; floats when absent */
  readonly core?: number;
}

/** A port to send through, and what its frames say. */
export interface SenderPort {
  readonly via: string;
  readonly sourceMac: string;
  readonly sourceAddress: string;
  readonly destinationMac: string;
}

/** What the sender says when its lead-in has left, as a line of JSON. */
export interface LeadInReport {
  /** orders that went ahead */
  readonly leadIn: number;
}

/** What the sender says when it is done, as a line of JSON. */
export interface SenderReport {
  /** datagrams that were taken */
  readonly sent: number;
  /** times there was no room for a burst */
  readonly busy: number;
  /** worst delay between the intended and the real time of sending */
  readonly maxLateNs: number;
}

/** Orders to send, and how fast. */
interface Flow {
  readonly orders: { next(out: OrderRecord): void };
  /** [orders per second] */
  readonly rate: number;
  readonly total: number;
}

/** Datagrams per call at most, when behind. */
const BURST = 32;
/** Time for the receiver to see the start coming. */
const START_DELAY_NS = 20e6;
const SOURCE_PORT = 9001;
/** The lead-in lasts about so long, at the rate of the flow where that is within these bounds. */
const LEAD_IN_SECONDS = 0.4;
const LEAD_IN_RATES = [2500, 50_000] as const;

const orders = JSON.parse(process.argv[2] ?? '') as SenderOrders;
try {
  dieWithParent(orders.parent);
  if (orders.core !== undefined) pinThread(orders.core);
  if (orders.netns !== undefined) {
    using namespace = NetworkNamespace.open(orders.netns);
    namespace.enter();
  }
  const { address, udpPort, port, rate, seconds, seed } = orders;
  using output = port === undefined ? openSocket(address, udpPort) : await openPeered(port);
  const leadIn = leadInFlow(rate);
  send(output, leadIn);
  say({ leadIn: leadIn.total } satisfies LeadInReport);
  await once(process.stdin, 'data');
  process.stdin.destroy();
  say(send(output, { orders: new OrderFlow(seed), rate, total: Math.round(rate * seconds) }));
} catch (error) {
  // The demo hands this on to its user: cause and remedy stand in the message.
  const debug = process.env.BAREWIRE_DEBUG !== undefined;
  console.error(error instanceof Error && !debug ? error.message : error);
  process.exitCode = 1;
}

function say(report: LeadInReport | SenderReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function leadInFlow(rate: number): Flow {
  const [slowest, fastest] = LEAD_IN_RATES;
  const paced = Math.min(Math.max(rate, slowest), fastest);
  const rounds = Math.round((paced * LEAD_IN_SECONDS) / LEAD_IN_ROUND);
  return { orders: new LeadInFlow(), rate: paced, total: rounds * LEAD_IN_ROUND };
}

/** Opens a socket, once what sends has been compiled. */
function openSocket(address: string, udpPort: number): UdpSocket {
  warmUp();
  return socketTo(address, udpPort);
}

function socketTo(address: string, port: number): UdpSocket {
  return new UdpSocket({
    ...(address.includes(':') ? { address: '::' } : {}),
    peer: { address, port },
    burst: BURST,
    maxLen: 64,
  });
}

/**
 * Sends orders to a socket of our own that nobody reads, until V8 has compiled what sends.
 *
 * measured: without it the sender falls 25 ms behind at the start: too many datagrams at once for some receivers. A port
 * that loses nothing needs none.
 */
function warmUp(): void {
  using sink = new UdpSocket({ address: '127.0.0.1' });
  using output = socketTo(sink.local.address, sink.local.port);
  send(output, { orders: new OrderFlow(orders.seed), rate: 100_000, total: 40_000 });
}

/** Opens a port, and waits for its peer. @throws Error when none comes */
async function openPeered({ via, ...ends }: SenderPort): Promise<PortDatagrams> {
  const { address, udpPort } = orders;
  const frame = { ...ends, destinationAddress: address, sourcePort: SOURCE_PORT, destinationPort: udpPort };
  const port = openPort(via);
  await awaitPeer(port);
  return new PortDatagrams(port, frame, BURST);
}

function send(output: DatagramOutput, { orders: flow, rate, total }: Flow): SenderReport {
  const order = new OrderRecord();
  const startNs = nowNs() + START_DELAY_NS;
  let written = 0;
  let sent = 0;
  let busy = 0;
  let maxLateNs = 0;
  while (sent < total) {
    const now = nowNs();
    while (written < total && written - sent < BURST) {
      const intendedNs = startNs + (written * 1e9) / rate;
      if (intendedNs > now) break;
      const offset = output.reserve(STAMPED_ORDER_LEN);
      if (offset < 0) break;
      flow.next(order);
      order.intendedNs = intendedNs;
      encodeOrder(output.sendView, offset, order);
      encodeIntendedTime(output.sendView, offset, order);
      maxLateNs = Math.max(maxLateNs, now - intendedNs);
      written++;
    }
    if (written === sent) continue;
    const taken = output.flush();
    if (taken < 0) {
      throw new SystemError('Cannot send orders to', {
        syscall: 'sendmmsg',
        errno: -taken,
        subject: `${orders.address} port ${orders.udpPort}`,
      });
    }
    if (taken < written - sent) busy++;
    sent += taken;
  }
  return { sent, busy, maxLateNs };
}
