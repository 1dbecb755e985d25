import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Burst } from '../../src/core/index.ts';
import { link, nowNs, withNetns } from '../../src/sys/index.ts';
import { parseMac } from '../../src/wire/index.ts';
import { TxMetadata, Umem, XdpInterface, XdpSocket } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';

const CHECKSUM = 40;

/** Opens a socket at the one end that only sends, on a umem with room for metadata. */
function openSender(veth: TestVeth, umem: Umem): XdpSocket {
  const { name, namespace } = veth.a;
  return withNetns(namespace, () => {
    const spec = { interface: name, ifindex: link(name).index, queue: 0, mode: 'copy' as const };
    return new XdpSocket({ ...spec, umem, rxSize: 16, txSize: 16, keepCompletions: true });
  });
}

function takeOne(take: () => number): void {
  for (let looks = 0; take() === 0; looks++)
    assert.ok(looks < 1_000_000, 'a frame or its completion is missing');
}

it('TxMetadata has the kernel finish a checksum and tell when the frame was sent', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  using umem = new Umem({ chunkCount: 64, txMetadata: true, debug: true });
  using sender = openSender(veth, umem);
  using receiver = withNetns(
    veth.b.namespace,
    () => new XdpInterface({ interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }], mode: 'copy' }),
  );
  const metadata = new TxMetadata(umem);
  const received = new Burst(8);
  const burst = new Burst(8);
  for (let tag = 0; tag < 40; tag++) {
    const finished = udpFrame(parseMac(veth.a.mac), parseMac(veth.b.mac), 100, tag);
    assert.equal(sender.alloc(burst, 1), 1);
    const frame = umem.bytes.subarray(burst.addr[0]!, burst.addr[0]! + finished.length);
    frame.set(finished);
    frame.set(pseudoHeaderSum(finished), CHECKSUM);
    assert.notDeepEqual(frame, finished);
    burst.len[0] = finished.length;
    metadata.askTimestamp(burst, 0);
    metadata.askChecksum(burst, 0, 34, 6);
    const before = nowNs();
    assert.equal(sender.tx(burst), 1);
    sender.flush();
    takeOne(() => receiver.sockets[0]!.rx(received));
    const { bytes } = receiver.sockets[0]!.umem;
    assert.deepEqual(bytes.slice(received.addr[0], received.addr[0]! + received.len[0]!), finished);
    receiver.sockets[0]!.recycle(received);
    takeOne(() => sender.completed(burst));
    const sentNs = metadata.sentNs(burst.addr[0]!);
    assert.ok(
      sentNs >= before - 2000 && sentNs <= nowNs() + 2000,
      `sent ${sentNs - before} ns after the call`,
    );
    sender.recycle(burst);
  }
});

it('TxMetadata needs a umem with room for it', () => {
  using umem = new Umem({ chunkCount: 1 });
  assert.throws(() => new TxMetadata(umem), /txMetadata: true/);
});

it('a frame to send must leave room for its metadata in its chunk', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  using umem = new Umem({ chunkCount: 64, txMetadata: true });
  using sender = openSender(veth, umem);
  const burst = new Burst(1);
  sender.alloc(burst, 1);
  assert.equal(burst.addr[0]! % umem.chunkLen, 24);
  burst.addr[0]! -= 8;
  burst.len[0] = 60;
  assert.throws(() => sender.tx(burst), /behind 24 bytes of metadata/);
});

/** What a sender writes where the checksum will stand: the sum of the pseudo header, not inverted. RFC 768 */
function pseudoHeaderSum(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer);
  let sum = 17 + view.getUint16(38);
  for (let at = 26; at < 34; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return Uint8Array.of(sum >>> 8, sum & 0xff);
}
