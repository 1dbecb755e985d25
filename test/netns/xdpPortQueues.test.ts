import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import { XdpPort } from '../../src/port/index.ts';
import { withNetns } from '../../src/sys/index.ts';
import { Umem, XdpCounter, type XdpInterfaceSpec } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { waitUntil } from '../support/handmadeXdpSocket.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth, type VethEnd } from '../support/vethPair.ts';

// A port over AF_XDP where it is more than its sockets.

/** Opens a port on both nicQueues of an end of a veth pair. */
function openPort({ namespace, name }: VethEnd, spec: Partial<XdpInterfaceSpec> = {}): XdpPort {
  const common = { flows: [{ port: TEST_UDP_PORT }], mode: 'copy', rxSize: 64, txSize: 64 } as const;
  const debug = spec.umem === undefined ? { debug: true } : {};
  return withNetns(namespace, () => new XdpPort({ ...common, ...debug, interface: name, ...spec }));
}

/** Runs `fn` with such a port; every chunk is accounted for when it is closed. */
function withPort(t: TestContext, spec: Partial<XdpInterfaceSpec>, fn: (port: XdpPort) => void): void {
  if (!requireRoot(t)) return;
  using veth = testVeth({ queues: 2 });
  using port = openPort(veth.a, spec);
  fn(port);
}

test('tx() says what it accepted before a frame that cannot be sent, and throws when that frame is the first', (t) => {
  withPort(t, {}, (port) => {
    const burst = new Burst(3);
    for (const socket of port.interface.sockets) socket.alloc(burst, 1);
    burst.len.set([60, 13]);
    assert.equal(port.tx(burst), 1);
    burst.dropPrefix(1);
    assert.throws(() => port.tx(burst), /^RangeError: Cannot send frame at \d+ of 13 bytes/);
    assert.deepEqual([burst.count, burst.region[0]], [1, 1]);
    port.recycle(burst);
  });
});

test('frames on one umem leave, and chunks go back, by the queue that the last burst came from', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth({ queues: 2 });
  using umem = new Umem({ chunkCount: 512, shared: true, debug: true });
  using port = openPort(veth.a, { umem });
  using peer = openPort(veth.b);
  const [first, second] = port.interface.sockets;
  const burst = new Burst(4);
  const frame = udpFrame(peer.mac, port.mac, 30, 1);
  const [sender] = peer.interface.sockets;
  sender!.alloc(burst, 1);
  peer.regions[0]!.bytes.set(frame, burst.addr[0]!);
  burst.len[0] = frame.length;
  burst.dropPrefix(peer.tx(burst));
  peer.flush();
  assert.ok(waitUntil(() => port.rx(burst) === 1));
  const [from, other] = first!.counters[XdpCounter.rxFrames] === 1 ? [first!, second!] : [second!, first!];
  // The other queue is asked next, and has a frame that is too long for the burst.
  const refusal = t.mock.method(other, 'rx', () => {
    throw new RangeError('Cannot receive a frame');
  });
  assert.throws(() => port.rx(new Burst(1)), RangeError);
  assert.equal(refusal.mock.callCount(), 1);
  burst.len[0] = 60;
  assert.equal(port.tx(burst), 1);
  assert.equal(from.counters[XdpCounter.txFrames], 1);
  burst.clear();
  port.alloc(burst, 1);
  const recycled = t.mock.method(from, 'recycleRange');
  port.recycle(burst);
  assert.equal(recycled.mock.callCount(), 1);
});

test('maxPieceLen is the longest frame that tx() takes from a chunk of alloc(), whatever the chunks', (t) => {
  const shapes: readonly Partial<XdpInterfaceSpec>[] = [
    {},
    { headroom: 100 },
    { unaligned: true, chunkLen: 3333, headroom: 33 },
    { unaligned: true, chunkLen: 3332, headroom: 33 },
    { unaligned: true, chunkLen: 3333 },
    { txMetadata: true },
  ];
  for (const shape of shapes) {
    withPort(t, { multiBuffer: true, ...shape }, (port) => {
      const burst = new Burst(2);
      // Of chunks of odd length every other one begins at an odd addr, and loses a byte more.
      assert.equal(port.alloc(burst, 2), 2);
      burst.len.fill(port.maxPieceLen);
      assert.equal(port.tx(burst), 2, JSON.stringify(shape));
      burst.clear();
      assert.equal(port.alloc(burst, 2), 2);
      burst.len.fill(port.maxPieceLen + 1);
      assert.throws(() => port.tx(burst), RangeError, JSON.stringify(shape));
      port.recycle(burst);
    });
  }
});

test('report.reasons are those of the interface as of now', (t) => {
  withPort(t, {}, (port) => {
    const now = ['busy polling has engaged, but'];
    t.mock.getter(port.interface, 'reasons', () => now);
    assert.deepEqual(port.report.reasons, now);
  });
});
