import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OrderFlow } from '../../src/order/demo/orderFlow.ts';
import { OrderBook, OrderRecord, TradeSink } from '../../src/order/index.ts';
import { links } from '../../src/sys/index.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';
import { lastLine, run, runDemo } from '../support/runDemo.ts';

/** A flow that every port carries on a busy machine: the kernel keeps 500 frames for a tap, a quarter of a second here. */
const FLOW = ['--rate', '2000', '--seconds', '1', '--seed', '5'];
const FLOW_ORDERS = 2000;
/** What goes ahead of a flow of this rate, and is in a capture too. */
const LEAD_IN_ORDERS = 1024;

/** What a book makes of the flow, without any port. */
function expected(): { trades: number; book: number } {
  const flow = new OrderFlow(5);
  const book = new OrderBook({ maxOrders: FLOW_ORDERS, trades: new TradeSink(1 << 16) });
  const order = new OrderRecord();
  let trades = 0;
  for (let i = 0; i < FLOW_ORDERS; i++) {
    flow.next(order);
    trades += book.submit(order);
  }
  return { trades, book: book.resting };
}

describe('barewire demo --via', () => {
  for (const via of ['xdp', 'xdp:?mode=copy', 'packet', 'tap', 'memif', 'memif:?role=client', 'udp']) {
    it(`brings the flow of a seed over ${via} into the book that it makes`, async (t) => {
      if (!requireRoot(t)) return;
      const report = await runDemo('--via', via, ...FLOW);
      const { sent, received, lost, rejected, trades, book, reason } = report;
      assert.equal(report.via, via.split(':')[0]);
      assert.deepEqual([sent, received, lost, rejected, reason], [FLOW_ORDERS, FLOW_ORDERS, 0, {}, null]);
      assert.deepEqual({ trades, book }, expected());
      const { p50, p99, p999, max } = report.latencyNs.ours;
      assert.ok(p50! > 0 && p50! <= p99! && p99! <= p999! && p999! <= max!);
      assert.deepEqual(report.dgram, { sent: FLOW_ORDERS, received: FLOW_ORDERS, lost: 0 });
    });
  }

  it('carries a faster flow over memif without a loss, which a full ring only holds up', async () => {
    const { received, lost } = await runDemo('--via', 'memif', '--rate', '100000', '--seconds', '1');
    assert.deepEqual([received, lost], [100_000, 0]);
  });

  it('needs no privilege and leaves no file for memif', async (t) => {
    if (!requireRoot(t)) return;
    const setpriv = requireTool(t, 'setpriv');
    if (setpriv === undefined) return;
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', process.execPath];
    const { child, ended } = run(['demo', '--via', 'memif', ...FLOW, '--json'], setpriv, nobody);
    const { code, out, err } = await ended;
    assert.equal(code, 0, err);
    const { via, accelerated, lost, mode } = lastLine(out);
    assert.deepEqual([via, accelerated, lost], ['memif', true, 0]);
    assert.match(mode, /^memif server/);
    assert.ok(!readFileSync('/proc/net/unix', 'utf8').includes(`@barewire-${child.pid}-`));
    const refused = await run(['demo', '--via', 'packet', ...FLOW], setpriv, nobody).ended;
    assert.equal(refused.code, 1);
    assert.match(refused.err, /Cannot run the demo over packet: EPERM\. It needs CAP_SYS_ADMIN/);
  });

  it('replays what it captured into the same book, without latency', async (t) => {
    if (!requireRoot(t)) return;
    const folder = mkdtempSync(join(tmpdir(), 'barewire-'));
    try {
      const file = join(folder, 'orders.pcapng');
      const sent = await runDemo('--via', `packet:?capture=${file}`, ...FLOW);
      const replayed = await runDemo('--via', `pcap:${file}`);
      assert.deepEqual([replayed.via, replayed.sent, replayed.lost], ['pcap', null, null]);
      assert.equal(replayed.received, sent.received + LEAD_IN_ORDERS);
      assert.deepEqual([replayed.book, replayed.rejected], [sent.book, {}]);
      assert.ok(replayed.trades > sent.trades + LEAD_IN_ORDERS / 2);
      const none = { p50: null, p99: null, p999: null, max: null };
      assert.deepEqual([replayed.latencyNs, replayed.dgram], [{ ours: none, dgram: null }, null]);
      const { out } = await run(['demo', '--via', `pcap:${file}`]).ended;
      assert.match(out, /^ +pcap\nreceived +3,024\n/);
      assert.match(out, /no latency/);
      assert.doesNotMatch(out, /p50|lost/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('says in its table which port it was, and where node:dgram received', async (t) => {
    if (!requireRoot(t)) return;
    const packet = await run(['demo', '--via', 'packet', ...FLOW]).ended;
    assert.match(packet.out, /^ +AF_PACKET +node:dgram\n/);
    assert.match(packet.out, /TPACKET_V2/);
    assert.doesNotMatch(packet.out, /loopback/);
    const memif = await run(['demo', '--via', 'memif', ...FLOW]).ended;
    assert.match(memif.out, /^ +memif +node:dgram\n/);
    assert.match(memif.out, /ours: memif server/);
    assert.match(memif.out, /node:dgram over loopback/);
    assert.doesNotMatch(memif.out, /No peer/);
  });

  it('refuses what it cannot run over, and leaves interfaces of the user alone', async () => {
    const before = links();
    for (const [via, message] of [
      ['loop', /both ends of a loop are in one thread/],
      ['xdp:lo', /lo is yours and stays untouched.* barewire receive --via xdp:lo/],
      ['pcap', /name a capture/],
      ['pcap:/nowhere.pcap', /ENOENT/],
      ['memif:?rnig=4', /no option "rnig"/],
    ] as const) {
      const { code, err } = await run(['demo', '--via', via]).ended;
      assert.equal(code, 1, via);
      assert.match(err, message);
    }
    assert.deepEqual(links(), before);
  });
});
