import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Burst } from '../src/core/index.ts';
import { L2Forward } from '../src/lane/index.ts';
import { OrderFlow } from '../src/order/demo/orderFlow.ts';
import {
  BookHandler,
  encodeOrder,
  ORDER_LEN,
  OrderBook,
  OrderReceiver,
  OrderRecord,
  PortSource,
  PriceLevel,
  ReceiverPage,
  Side,
  TradeSink,
} from '../src/order/index.ts';
import { openPort, type Port } from '../src/port/index.ts';
import { readCapture, UdpFrameTemplate } from '../src/wire/index.ts';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const UDP_PORT = 9000;
const ORDERS = 5000;

/** All that a book says of itself after a flow of orders, and every trade on the way. */
interface Outcome {
  readonly trades: readonly string[];
  readonly levels: readonly string[];
  readonly received: number;
  readonly resting: number;
}

/** Receives orders from a port into a book of its own. */
class Book implements Disposable {
  readonly #page = ReceiverPage.create();
  readonly #trades: string[] = [];
  readonly #levels = Array.from({ length: 1000 }, () => new PriceLevel());
  readonly #book: OrderBook;
  readonly #source: PortSource;

  constructor(port: Port) {
    const sink = new TradeSink(1 << 12);
    this.#book = new OrderBook({ maxOrders: 1 << 14, trades: sink });
    const handler = new BookHandler(this.#book, sink, this.#page.values, (trade) => {
      this.#trades.push(`${trade.makerId} ${trade.takerId} ${trade.price} ${trade.quantity}`);
    });
    this.#source = new PortSource(port, new OrderReceiver(handler, this.#page), { udpPort: UDP_PORT });
  }

  receive(): void {
    while (this.#source.poll(64) > 0);
  }

  outcome(): Outcome {
    const { received, book: resting, rejected, dropped } = this.#page.read();
    assert.deepEqual([rejected, dropped], [{}, 0]);
    const levels = [Side.buy, Side.sell].flatMap((side) => {
      const count = this.#book.depth(side, this.#levels);
      return this.#levels
        .slice(0, count)
        .map(({ price, quantity, orders }) => `${side} ${price} ${quantity} ${orders}`);
    });
    return { trades: this.#trades, levels, received, resting };
  }

  [Symbol.dispose](): void {
    this.#source.close();
    this.#page.close();
  }
}

/** Sends a flow of orders, as datagrams from one address to another. */
function sendOrders(port: Port, room: () => void): void {
  const template = new UdpFrameTemplate({
    destinationMac: '02:00:00:00:00:02',
    sourceMac: '02:00:00:00:00:01',
    destinationAddress: '192.0.2.2',
    sourceAddress: '192.0.2.1',
    destinationPort: UDP_PORT,
    sourcePort: 40_000,
  });
  const flow = new OrderFlow(7);
  const order = new OrderRecord();
  const burst = new Burst(32);
  for (let sent = 0; sent < ORDERS; ) {
    const count = port.alloc(burst, Math.min(32, ORDERS - sent));
    for (let i = 0; i < count; i++) {
      const { view } = port.regions[burst.region[i]!]!;
      flow.next(order);
      encodeOrder(view, burst.addr[i]! + template.headerLen, order);
      burst.len[i] = template.write(view, burst.addr[i]!, ORDER_LEN);
    }
    assert.equal(port.tx(burst), count);
    burst.clear();
    port.flush();
    sent += count;
    room();
  }
}

describe('a captured flow of orders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-replay-'));
  const capture = join(folder, 'orders.pcapng');
  let live: Outcome;

  before(() => {
    const sender = openPort('loop:replay');
    using book = new Book(openPort(`loop:replay?capture=${capture}`));
    sendOrders(sender, () => book.receive());
    live = book.outcome();
    assert.equal(live.received, ORDERS);
    assert.ok(live.trades.length > 1000 && live.levels.length > 10);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('makes the same trades and leaves the same book when pcap: replays it', () => {
    using port = openPort(`pcap:${capture}`);
    using book = new Book(port);
    book.receive();
    assert.equal(port.ended, true);
    assert.deepEqual(book.outcome(), live);
  });

  it('makes the same book in barewire receive, which ends by itself', async () => {
    for (const [pace, idle] of [
      ['fast', 'busySpin'],
      ['recorded', 'block'],
    ]) {
      const via = `pcap:${capture}?pace=${pace}`;
      const args = [MAIN, 'receive', '--via', via, '--port', String(UDP_PORT), '--idle', idle!, '--json'];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
      const { received, trades, book, drops } = JSON.parse(stdout) as { [key: string]: unknown };
      assert.deepEqual(
        [received, trades, book],
        [live.received, live.trades.length, live.resting],
        String(pace),
      );
      assert.deepEqual(new Set(Object.values(drops as object)), new Set([0]));
    }
  });

  it('is received to its end when it cannot be captured once more, and the receiver says so', async () => {
    const via = `pcap:${capture}?capture=${join(folder, 'short.pcapng')}`;
    const args = [MAIN, 'receive', '--via', via, '--port', String(UDP_PORT), '--json'];
    // The kernel refuses the write that would pass the limit, as on a full disk.
    const limited = ['-c', 'ulimit -f 100; exec "$0" "$@"', process.execPath, ...args];
    const { stdout, stderr } = await promisify(execFile)('sh', limited, { timeout: 60_000 });
    assert.equal((JSON.parse(stdout) as { received: number }).received, live.received);
    assert.match(stderr, /^capturing to .*short.pcapng ended after \d+ frames.*EFBIG/m);
  });

  it('goes from capture to capture through l2fwd, with the addresses exchanged and nothing else', () => {
    const out = join(folder, 'forwarded.pcapng');
    using port = openPort(`pcap:${capture}?out=${out}`);
    const loop = new L2Forward(port);
    while (loop.poll(64) > 0);
    port.close();
    const frames = (path: string): string[] => {
      const bytes = readFileSync(path);
      return [...readCapture(bytes)].map(({ offset, len }) => bytes.toString('hex', offset, offset + len));
    };
    const swapped = frames(capture).map(
      (frame) => frame.slice(12, 24) + frame.slice(0, 12) + frame.slice(24),
    );
    assert.deepEqual(frames(out), swapped);
    assert.deepEqual(loop.drops(), { txFull: 0 });
  });
});
