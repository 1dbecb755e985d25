// The demo's order source, a process of its own: real UDP datagrams from a kernel socket at an open-loop rate. Each order
// carries the time at which it was meant to leave; a sender that falls behind sends at once and keeps that time, so the
// receiver's latency includes the delay.
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
import { OrderFlow } from './orderFlow.ts';

/** What the sender is told, as JSON in its first argument. */
export interface SenderOrders {
  /** process that this one ends with */
  readonly parent: number;
  /** network namespace to send from; the process's own when absent */
  readonly netns?: string;
  readonly address: string;
  readonly udpPort: number;
  /** [orders per second] */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** core to pin to; floats when absent */
  readonly core?: number;
}

/** What the sender says when it is done, as a line of JSON. */
export interface SenderReport {
  /** datagrams that the kernel took */
  readonly sent: number;
  /** times the kernel had no room for a burst */
  readonly busy: number;
  /** worst delay between the intended and the real time of sending */
  readonly maxLateNs: number;
}

/** Datagrams per system call at most, when behind. */
const BURST = 32;
/** Time for the receiver to see the start coming. */
const START_DELAY_NS = 20e6;

const orders = JSON.parse(process.argv[2] ?? '') as SenderOrders;
try {
  dieWithParent(orders.parent);
  if (orders.core !== undefined) pinThread(orders.core);
  if (orders.netns !== undefined) {
    using namespace = NetworkNamespace.open(orders.netns);
    namespace.enter();
  }
  warmUp();
  process.stdout.write(`${JSON.stringify(send(orders))}\n`);
} catch (error) {
  // The demo hands this on to its user: cause and remedy stand in the message.
  const debug = process.env.BAREWIRE_DEBUG !== undefined;
  console.error(error instanceof Error && !debug ? error.message : error);
  process.exitCode = 1;
}

/**
 * Sends orders to a socket of our own that nobody reads, until V8 has compiled what sends.
 *
 * measured: without it the sender falls 25 ms behind at the start, and a receiver's p99 says nothing but that.
 */
function warmUp(): void {
  using sink = new UdpSocket({ address: '127.0.0.1' });
  send({ ...orders, address: sink.local.address, udpPort: sink.local.port, rate: 100_000, seconds: 0.4 });
}

function send({ address, udpPort, rate, seconds, seed }: SenderOrders): SenderReport {
  using socket = new UdpSocket({
    ...(address.includes(':') ? { address: '::' } : {}),
    peer: { address, port: udpPort },
    burst: BURST,
    maxLen: 64,
  });
  const flow = new OrderFlow(seed);
  const order = new OrderRecord();
  const total = Math.round(rate * seconds);
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
      const offset = socket.reserve(STAMPED_ORDER_LEN);
      if (offset < 0) break;
      flow.next(order);
      order.intendedNs = intendedNs;
      encodeOrder(socket.sendView, offset, order);
      encodeIntendedTime(socket.sendView, offset, order);
      maxLateNs = Math.max(maxLateNs, now - intendedNs);
      written++;
    }
    if (written === sent) continue;
    const taken = socket.flush();
    if (taken < 0) {
      throw new SystemError('Cannot send orders to', {
        syscall: 'sendmmsg',
        errno: -taken,
        subject: `${address} port ${udpPort}`,
      });
    }
    if (taken < written - sent) busy++;
    sent += taken;
  }
  return { sent, busy, maxLateNs };
}
