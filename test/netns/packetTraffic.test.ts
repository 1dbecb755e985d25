import assert from 'node:assert/strict';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { PollSet, setLink, UdpSocket, withNetns } from '../../src/sys/index.ts';
import { ChecksumMode, parseUdpFrame, UdpFrame } from '../../src/wire/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import type { TestVeth } from '../support/vethPair.ts';
import { KernelTraffic } from './kernelTraffic.ts';
import { onVeth, openAt, type ReceivedFrame, receiveFrames, receiveUntil, sendFrames } from './packetRig.ts';

const A = Uint8Array.of(2, 0, 0, 0, 0, 1);
const B = Uint8Array.of(2, 0, 0, 0, 0, 2);
const FLOWS = [{ version: 4, port: TEST_UDP_PORT, address: undefined }] as const;

/** Puts VLAN tags into a frame, the outer one first. */
function tagged(frame: Uint8Array, ...tags: readonly (readonly [type: number, tci: number])[]): Uint8Array {
  const head = tags.flatMap(([type, tci]) => [type >> 8, type & 0xff, tci >> 8, tci & 0xff]);
  return Uint8Array.of(...frame.subarray(0, 12), ...head, ...frame.subarray(12));
}

/** A frame with one field changed. */
function changed(frame: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  return copy;
}

/** An IPv6 frame that carries `next`, its payload beginning as a UDP header to `port` does. */
function ipv6Frame(next: number, port: number, lastByte: number): Uint8Array {
  const frame = new Uint8Array(14 + 40 + 12);
  frame.set([...B, ...A, 0x86, 0xdd, 0x60]);
  frame.set([0, 12, next, 64], 18);
  frame.set([0xfd, 0], 38);
  frame[53] = lastByte;
  frame.set([1, 2, port >> 8, port & 0xff, 0, 12], 54);
  return frame;
}

// ---- What the filter keeps ------------------------------------------------------------------------------------------

onVeth('with flows, only their datagrams are received, behind up to two VLAN tags', ({ a, b }) => {
  const address = Uint8Array.of(10, 9, 0, 2);
  const address6 = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
  using sender = openAt(a);
  using receiver = openAt(b, {
    flows: [
      { version: 4, port: 9000, address: undefined },
      { version: 4, port: 9001, address },
      { version: 6, port: 9002, address: address6 },
      { version: 6, port: 9003, address: undefined },
    ],
  });
  const to = (port: number): Uint8Array => changed(udpFrame(A, B, 20, port), 36, port >> 8, port & 0xff);
  const options = Uint8Array.of(...to(9000).subarray(0, 14), 0x46, ...to(9000).subarray(15, 34), 1, 1, 1, 1);
  const wanted = [
    to(9000),
    to(9001),
    Uint8Array.of(...options, ...to(9000).subarray(34)),
    changed(to(9000), 20, 0x20, 0),
    ipv6Frame(17, 9002, 7),
    ipv6Frame(17, 9003, 9),
    changed(ipv6Frame(60, 1, 7), 54, 17),
    changed(ipv6Frame(0, 1, 7), 54, 43),
    tagged(to(9000), [0x8100, 5]),
    tagged(to(9000), [0x88a8, 5], [0x8100, 6]),
    tagged(ipv6Frame(17, 9003, 9), [0x8100, 5], [0x8100, 6]),
  ];
  const others = [
    to(9002),
    to(9003),
    changed(to(9001), 33, 3),
    changed(to(9000), 23, 6),
    changed(to(9000), 20, 0, 1),
    changed(to(9000), 12, 0x08, 0x06),
    ipv6Frame(17, 9002, 8),
    ipv6Frame(17, 9000, 7),
    ipv6Frame(6, 9003, 7),
    changed(ipv6Frame(0, 9003, 7), 54, 58),
    tagged(to(8999), [0x8100, 5]),
    tagged(to(8999), [0x88a8, 5], [0x8100, 6]),
    tagged(ipv6Frame(17, 9002, 8), [0x8100, 5], [0x8100, 6]),
  ];
  // Each one that is kept stands behind one that is not, so that what came is known to be all.
  sendFrames(sender, [...others, ...wanted]);
  const received = receiveFrames(receiver, wanted.length);
  for (const [i, frame] of wanted.entries()) {
    const outer = (frame[12] === 0x81 && frame[13] === 0) || frame[12] === 0x88 ? 4 : 0;
    const untagged = Uint8Array.of(...frame.subarray(0, 12), ...frame.subarray(12 + outer));
    assert.deepEqual(received[i]!.bytes, untagged, `frame ${i}`);
  }
});

onVeth('without flows every frame is received, but none that this host sends', async (veth) => {
  using receiver = openAt(veth.b);
  await using traffic = await KernelTraffic.between(veth);
  await traffic.check('ping');
  const frames = receiveUntil(receiver, () => false, 200);
  const icmp = frames.filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0 && bytes[23] === 1);
  assert.deepEqual(
    icmp.map(({ bytes }) => bytes[34]),
    [8],
    'the echo request, not the reply',
  );
  assert.ok(
    frames.some(({ bytes }) => bytes[12] === 8 && bytes[13] === 6),
    'ARP',
  );
});

onVeth('the kernel goes on answering: TCP, UDP and ICMP work beside the port', async (veth) => {
  using receiver = openAt(veth.b);
  await using traffic = await KernelTraffic.between(veth);
  for (const what of ['ping', 'udp', 'tcp'] as const) await traffic.check(what);
  assert.equal(receiver.report.accelerated, false);
  assert.match(receiver.report.reasons[0]!, /the kernel sees every frame too, and may answer it/);
});

// ---- What is known of a frame ---------------------------------------------------------------------------------------

onVeth('the outer VLAN tag arrives beside the frame', ({ a, b }) => {
  using sender = openAt(a);
  using receiver = openAt(b, { flows: FLOWS });
  const frame = udpFrame(A, B, 30, 1);
  sendFrames(sender, [tagged(frame, [0x8100, 0x6123]), frame]);
  const [first, second] = receiveFrames(receiver, 2);
  assert.deepEqual(
    [first!.flags & FrameFlags.vlan, first!.vlan, first!.bytes],
    [FrameFlags.vlan, 0x6123, frame],
  );
  assert.equal(second!.flags & FrameFlags.vlan, 0);
});

onVeth(
  'the kernel is kept quiet about flows, unless told otherwise or another socket has the port',
  (veth) => {
    const { a, b } = veth;
    const refusals = (): number => {
      using socket = withNetns(
        a.namespace,
        () => new UdpSocket({ peer: { address: b.address, port: TEST_UDP_PORT }, burst: 1 }),
      );
      let refused = 0;
      for (let i = 0; i < 5; i++) {
        socket.reserve(25);
        if (socket.flush() < 0) refused++;
      }
      return refused;
    };
    {
      using receiver = openAt(b, { flows: FLOWS });
      assert.equal(refusals(), 0);
      receiveFrames(receiver, 5);
      assert.equal(receiver.report.reasons.length, 1);
    }
    {
      using _receiver = openAt(b, { flows: FLOWS, quiet: false });
      assert.ok(refusals() > 0);
    }
    {
      using _other = withNetns(b.namespace, () => new UdpSocket({ address: b.address, port: TEST_UDP_PORT }));
      using receiver = openAt(b, { flows: FLOWS });
      assert.match(
        receiver.report.reasons[1]!,
        /not kept quiet over IPv4: .*UDP port 9000 of vb: EADDRINUSE/,
      );
      assert.throws(() => openAt(b, { flows: FLOWS, strict: true }), { code: 'EADDRINUSE' });
    }
    assert.ok(refusals() > 0, 'closed, it is as before');
  },
);

/** Has the far kernel send a datagram. */
function kernelSends({ a, b }: TestVeth): void {
  using socket = withNetns(
    a.namespace,
    () => new UdpSocket({ peer: { address: b.address, port: TEST_UDP_PORT } }),
  );
  const at = socket.reserve(25);
  for (let i = 0; i < 25; i++) socket.sendView.setUint8(at + i, i);
  assert.equal(socket.flush(), 1);
}

onVeth(
  'a checksum that the sender left to its NIC is flagged, and what it would verify as is a bad one',
  (veth) => {
    using receiver = openAt(veth.b, { flows: FLOWS });
    kernelSends(veth);
    const [{ bytes, flags }] = receiveFrames(receiver, 1) as [ReceivedFrame];
    assert.equal(flags, FrameFlags.checksumPartial | FrameFlags.checksumVerified);
    const view = new DataView(bytes.buffer);
    const frame = new UdpFrame();
    assert.ok(parseUdpFrame(view, 0, bytes.length, frame, ChecksumMode.verify) < 0);
    assert.equal(parseUdpFrame(view, 0, bytes.length, frame, ChecksumMode.verified), 0);
    assert.equal(frame.payloadLen, 25);
  },
  { txChecksum: true },
);

onVeth('a checksum that the sender computed is not flagged as unfinished', (veth) => {
  using receiver = openAt(veth.b, { flows: FLOWS });
  kernelSends(veth);
  const [{ bytes, flags }] = receiveFrames(receiver, 1) as [ReceivedFrame];
  assert.equal(flags & FrameFlags.checksumPartial, 0);
  const frame = new UdpFrame();
  assert.equal(parseUdpFrame(new DataView(bytes.buffer), 0, bytes.length, frame, ChecksumMode.verify), 0);
});

for (const frameLen of [2048, 1 << 17]) {
  const fits = frameLen > 65536;
  onVeth(
    `frames beyond the MTU are ${fits ? 'received whole' : 'counted as truncated'} in slots of ${frameLen}`,
    async (veth) => {
      using receiver = openAt(veth.b, { frameLen });
      await using traffic = await KernelTraffic.between(veth);
      await traffic.check('tcp');
      const frames = receiveUntil(receiver, () => false, 200);
      const longest = Math.max(...frames.map(({ bytes }) => bytes.length));
      const { drops } = receiver.statistics();
      assert.equal(drops.rxRingFull, 0);
      if (fits) {
        assert.equal(drops.truncated, 0);
        assert.ok(longest > 1514, `longest frame: ${longest}`);
      } else {
        assert.ok(drops.truncated! > 0);
        assert.ok(longest <= 1514, `longest frame: ${longest}`);
      }
    },
    { txChecksum: true },
  );
}

// ---- Slots ----------------------------------------------------------------------------------------------------------

onVeth('frames that find no slot are counted, each', ({ a, b }) => {
  using sender = openAt(a);
  using receiver = openAt(b, { rxSize: 16, flows: FLOWS });
  const frames = Array.from({ length: 60 }, (_, i) => udpFrame(A, B, 30, i));
  sendFrames(sender, frames);
  const received = receiveFrames(receiver, 16);
  assert.deepEqual(
    received.map(({ bytes }) => bytes),
    frames.slice(0, 16),
  );
  assert.equal(receiver.statistics().drops.rxRingFull, 44);
  assert.equal(receiver.statistics().drops.rxRingFull, 44, 'read twice');
  receiver.close();
  assert.equal(receiver.statistics().drops.rxRingFull, 44, 'read after close');
});

onVeth('slots go back in any order, and the kernel stops at one that is held', ({ a, b }) => {
  using sender = openAt(a);
  using receiver = openAt(b, { rxSize: 16, flows: FLOWS });
  const send = (from: number, count: number): void =>
    sendFrames(
      sender,
      Array.from({ length: count }, (_, i) => udpFrame(A, B, 30, from + i)),
    );
  const tags = (frames: readonly { bytes: Uint8Array }[]): number[] => frames.map(({ bytes }) => bytes[45]!);
  send(0, 16);
  const burst = new Burst(16);
  assert.equal(receiver.rx(burst), 16);
  const held = new Burst(1);
  const fifth = 5;
  held.addr[0] = burst.addr[fifth]!;
  held.count = 1;
  // Backwards, and all but one.
  const back = new Burst(16);
  for (let i = 15; i >= 0; i--) if (i !== fifth) back.addr[back.count++] = burst.addr[i]!;
  receiver.recycle(back);
  send(100, 16);
  assert.deepEqual(tags(receiveUntil(receiver, () => false, 50)), [100, 101, 102, 103, 104]);
  assert.equal(receiver.statistics().drops.rxRingFull, 11);
  assert.equal(receiver.regions[0]!.bytes[held.addr[0]! + 45], fifth, 'the held frame is untouched');
  receiver.recycle(held);
  send(200, 16);
  assert.deepEqual(
    tags(receiveFrames(receiver, 16)),
    Array.from({ length: 16 }, (_, i) => 200 + i),
  );
});

onVeth('poll(2) sleeps until a frame comes, and again once it was given back', ({ a, b }) => {
  using sender = openAt(a);
  using receiver = openAt(b, { flows: FLOWS });
  const set = new PollSet(receiver.fds);
  for (let round = 0; round < 3; round++) {
    assert.equal(receiver.arm(), true);
    assert.equal(set.wait(20), 0);
    sendFrames(sender, [udpFrame(A, B, 30, round)]);
    assert.equal(set.wait(3000), 1);
    assert.equal(receiver.arm(), false);
    receiveFrames(receiver, 1);
  }
});

// ---- Sending --------------------------------------------------------------------------------------------------------

onVeth('a frame of several pieces is sent as one, of more pieces than fit into a slot not at all', (veth) => {
  for (const { namespace, name } of [veth.a, veth.b])
    withNetns(namespace, () => setLink(name, { mtu: 9000 }));
  using sender = openAt(veth.a);
  using receiver = openAt(veth.b, { flows: FLOWS });
  assert.deepEqual([sender.socket.layout.frameLen, sender.mtu], [16384, 9000]);
  const frame = udpFrame(A, B, 8000, 7);
  const burst = new Burst(5);
  assert.equal(sender.alloc(burst, 4), 4);
  const cuts = [0, 13, 2000, 5001, frame.length];
  for (let i = 0; i < 4; i++) {
    const piece = frame.subarray(cuts[i], cuts[i + 1]);
    sender.regions[0]!.bytes.set(piece, burst.addr[i]!);
    burst.len[i] = piece.length;
    burst.flags[i] = i < 3 ? FrameFlags.continues : 0;
  }
  burst.flags[3] = FrameFlags.continues;
  assert.throws(() => sender.tx(burst), { name: 'RangeError', message: /with all of its pieces/ });
  burst.flags[3] = 0;
  burst.len[0] = 16300;
  assert.throws(() => sender.tx(burst), { name: 'RangeError', message: /14 to 16352 bytes/ });
  burst.len[0] = 13;
  assert.equal(sender.tx(burst), 4);
  sender.flush();
  assert.deepEqual(receiveFrames(receiver, 1)[0]!.bytes, frame);
  assert.equal(sender.statistics().txFrames, 1);
});

onVeth('a frame longer than the MTU is counted, and those around it are sent', ({ a, b }) => {
  using sender = openAt(a);
  using receiver = openAt(b, { flows: FLOWS });
  const frames = Array.from({ length: 20 }, (_, i) => udpFrame(A, B, i % 4 === 2 ? 1700 : 1400, i));
  for (let round = 0; round < 10; round++) {
    sendFrames(sender, frames);
    assert.deepEqual(
      receiveFrames(receiver, 15).map(({ bytes }) => bytes),
      frames.filter((_, i) => i % 4 !== 2),
    );
  }
  assert.equal(sender.statistics().drops.txInvalid, 50);
});

onVeth('tx() accepts what stands before a frame that cannot be sent, then names it', ({ a }) => {
  using sender = openAt(a);
  const burst = new Burst(3);
  assert.equal(sender.alloc(burst, 3), 3);
  burst.len.set([60, 13, 60]);
  assert.equal(sender.tx(burst), 1);
  burst.dropPrefix(1);
  assert.throws(() => sender.tx(burst), {
    name: 'RangeError',
    message: /Cannot send frame at \d+ of 13 bytes/,
  });
  assert.equal(burst.count, 2);
  sender.recycle(burst);
});
