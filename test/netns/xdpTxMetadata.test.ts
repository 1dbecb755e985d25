import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BpfProgram, FLOW_SOCKETS, redirectProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { link, nowNs, withNetns } from '../../src/sys/index.ts';
import { IpProtocol, parseMac } from '../../src/wire/index.ts';
import { TxMetadata, Umem, XdpInterface, XdpSocket, type XdpSocketSpec } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';

const CHECKSUM = 40;

/** Opens a socket at the one end that only sends, on a umem with room for metadata. */
function openSender(veth: TestVeth, umem: Umem, more: Partial<XdpSocketSpec> = {}): XdpSocket {
  return openSocket(veth.a, umem, { keepCompletions: true, ...more });
}

function openSocket({ name, namespace }: VethEnd, umem: Umem, more: Partial<XdpSocketSpec> = {}): XdpSocket {
  return withNetns(namespace, () => {
    const spec = { interface: name, ifindex: link(name).index, queue: 0, mode: 'copy' as const };
    return new XdpSocket({ ...spec, umem, rxSize: 16, txSize: 16, ...more });
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

/** What the kernel of this machine refuses as older ones refuse any: Linux takes no more than 255 bytes of metadata. */
function makeRefusedUmem(): Umem {
  const umem = new Umem({ chunkCount: 64, txMetadata: true, debug: true });
  return Object.assign(umem, { txMetadataLen: 304, txHeadroom: 304 });
}

for (const version of [4, 6] as const) {
  for (const protocol of [IpProtocol.udp, IpProtocol.tcp]) {
    it(`TxMetadata has checksums in software where the kernel has no metadata: IPv${version}, protocol ${protocol}`, (t) => {
      if (!requireRoot(t)) return;
      using veth = testVeth();
      using umem = makeRefusedUmem();
      using sender = openSender(veth, umem);
      assert.equal(umem.txMetadata, 'software');
      assert.match(sender.reasons.join(), /checksums of sent frames in software, and no time of sending/);
      using theirs = new Umem({ chunkCount: 128 });
      using receiver = openSocket(veth.b, theirs);
      using program = BpfProgram.load(redirectProgramSpec({ sockets: 1, index: 0 }));
      program.map(FLOW_SOCKETS).update(0, receiver.fd);
      using _ = withNetns(veth.b.namespace, () => XdpLink.attach(program, link(veth.b.name)));
      const metadata = new TxMetadata(umem);
      const burst = new Burst(1);
      const received = new Burst(1);
      for (const payloadLen of [0, 1, 30, 31, 1000]) {
        const { frame, start, offset, finished } = unfinished(version, protocol, payloadLen);
        sender.alloc(burst, 1);
        umem.bytes.set(frame, burst.addr[0]!);
        burst.len[0] = frame.length;
        metadata.askTimestamp(burst, 0);
        metadata.askChecksum(burst, 0, start, offset);
        assert.equal(sender.tx(burst), 1);
        sender.flush();
        // What the kernels say of their own comes too.
        const same = (): boolean =>
          receiver.rx(received) > 0 &&
          theirs.bytes[received.addr[0]! + 5] === MARK &&
          received.len[0] === frame.length;
        takeOne(() => {
          const ours = same();
          const bytes = theirs.bytes.slice(received.addr[0], received.addr[0]! + received.len[0]!);
          receiver.recycle(received);
          if (ours) assert.deepEqual(bytes, finished, `${payloadLen} bytes`);
          return Number(ours);
        });
        takeOne(() => sender.completed(burst));
        assert.ok(Number.isNaN(metadata.sentNs(burst.addr[0]!)));
        sender.recycle(burst);
      }
    });
  }
}

it('TxMetadata sums a frame over several chunks in software, also behind an odd piece', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  using umem = makeRefusedUmem();
  using sender = openSender(veth, umem, { multiBuffer: true });
  const metadata = new TxMetadata(umem);
  const { frame, start, offset, finished } = unfinished(4, IpProtocol.udp, 300);
  for (const cuts of [[100], [101], [61, 62, 200], [77, 140, 141]]) {
    const burst = new Burst(cuts.length + 1);
    sender.alloc(burst, burst.capacity);
    const ends = [...cuts, frame.length];
    let from = 0;
    for (const [i, end] of ends.entries()) {
      umem.bytes.set(frame.subarray(from, end), burst.addr[i]!);
      burst.len[i] = end - from;
      burst.flags[i] = i < cuts.length ? FrameFlags.continues : 0;
      from = end;
    }
    const addr = burst.addr[0]!;
    metadata.askChecksum(burst, 0, start, offset);
    assert.equal(sender.tx(burst), ends.length);
    const field = start + offset;
    assert.deepEqual(
      umem.bytes.slice(addr + field, addr + field + 2),
      finished.slice(field, field + 2),
      `cut at ${cuts}`,
    );
    sender.flush();
    let completed = 0;
    takeOne(() => {
      completed += sender.completed(burst);
      sender.recycle(burst);
      return Number(completed === ends.length);
    });
  }
});

it('under strict, a kernel without transmit metadata is refused', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  using umem = makeRefusedUmem();
  assert.throws(() => openSender(veth, umem, { strict: true }), {
    code: 'EINVAL',
    syscall: 'setsockopt(XDP_UMEM_REG)',
    message: /Transmit metadata needs a newer kernel/,
  });
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

/** Last byte of the destination address of our frames, which no kernel sends to. */
const MARK = 0xee;

/** A frame whose checksum is left to others, as it should be asked for, and as it should arrive. By the RFCs alone. */
function unfinished(
  version: 4 | 6,
  protocol: number,
  payloadLen: number,
): { frame: Uint8Array; start: number; offset: number; finished: Uint8Array } {
  const udp = protocol === IpProtocol.udp;
  const start = version === 4 ? 34 : 54;
  const offset = udp ? 6 : 16;
  const segmentLen = (udp ? 8 : 20) + payloadLen;
  const frame = new Uint8Array(start + segmentLen);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, MARK, 2, 0, 0, 0, 0, 1]);
  view.setUint16(12, version === 4 ? 0x0800 : 0x86dd);
  view.setUint8(14, (version << 4) | (version === 4 ? 5 : 0));
  view.setUint16(version === 4 ? 16 : 18, version === 4 ? 20 + segmentLen : segmentLen);
  view.setUint8(version === 4 ? 23 : 20, protocol);
  const addresses = version === 4 ? 26 : 22;
  for (let at = addresses; at < start; at++) frame[at] = 3 * at;
  for (let at = start; at < frame.length; at++) frame[at] = 7 * at;
  // RFC 768, RFC 9293 §3.1, RFC 8200 §8.1: addresses, protocol and length stand before the segment.
  const pseudo = sumOf(frame.subarray(addresses, start)) + protocol + segmentLen;
  view.setUint16(start + offset, 0);
  const finished = frame.slice();
  view.setUint16(start + offset, fold(pseudo));
  const checksum = ~fold(pseudo + sumOf(finished.subarray(start))) & 0xffff;
  new DataView(finished.buffer).setUint16(start + offset, checksum === 0 ? 0xffff : checksum);
  return { frame, start, offset, finished };
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

function fold(sum: number): number {
  return sum > 0xffff ? fold((sum & 0xffff) + (sum >>> 16)) : sum;
}
