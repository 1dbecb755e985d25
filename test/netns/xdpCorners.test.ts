import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { BpfProgram, FLOW_SOCKETS, redirectProgramSpec, XdpLink } from '../../src/bpf/index.ts';
import { Burst, ChunkOwner, FrameFlags } from '../../src/core/index.ts';
import { link, nowNs, setLink, withNetns } from '../../src/sys/index.ts';
import { parseMac } from '../../src/wire/index.ts';
import {
  TxMetadata,
  Umem,
  type UmemSpec,
  XdpGroup,
  XdpInterface,
  type XdpInterfaceSpec,
  XdpSocket,
  type XdpSocketSpec,
} from '../../src/xdp/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth, type VethEnd } from '../support/vethPair.ts';

/** Runs a case with a veth pair of its own. */
function onVeth(name: string, run: (veth: TestVeth) => void, queues = 1): void {
  it(name, (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth({ queues });
    run(veth);
  });
}

function openSocket(end: VethEnd, umem: Umem, more: Partial<XdpSocketSpec> = {}): XdpSocket {
  return withNetns(end.namespace, () => {
    const spec = { interface: end.name, ifindex: link(end.name).index, queue: 0, mode: 'copy' as const };
    return new XdpSocket({ ...spec, umem, rxSize: 64, txSize: 64, ...more });
  });
}

function makeUmem(more: Partial<UmemSpec> = {}): Umem {
  return new Umem({ chunkCount: 512, shared: true, debug: true, ...more });
}

/** Sends frames of our flow through a socket, in bursts of at most 32. */
function send(socket: XdpSocket, veth: TestVeth, count: number): void {
  const burst = new Burst(32);
  const frame = udpFrame(parseMac(veth.a.mac), parseMac(veth.b.mac), 30, 1);
  for (let left = count; left > 0; ) {
    const got = socket.alloc(burst, Math.min(32, left));
    for (let i = 0; i < got; i++) {
      socket.umem.bytes.set(frame, burst.addr[i]!);
      burst.len[i] = frame.length;
    }
    left -= got;
    burst.dropPrefix(socket.tx(burst));
    assert.equal(burst.count, 0);
    socket.flush();
  }
}

function waitFor(done: () => boolean, what: string): void {
  for (const end = nowNs() + 2e9; !done(); ) assert.ok(nowNs() < end, what);
}

describe('chunks in the corners of AF_XDP', () => {
  onVeth('a closed socket is closed, also while another one is on its nicQueue and umem', (veth) => {
    using sender = makeUmem();
    using out = openSocket(veth.a, sender);
    using umem = makeUmem();
    using program = BpfProgram.load(redirectProgramSpec({ sockets: 1, index: 0 }));
    using _ = withNetns(veth.b.namespace, () => XdpLink.attach(program, link(veth.b.name)));
    const first = openSocket(veth.b, umem);
    using second = openSocket(veth.b, umem);
    program.map(FLOW_SOCKETS).update(0, first.fd);
    first.close();
    send(out, veth, 50);
    assert.equal(second.statistics().rxFrames, 0);
    assert.equal(umem.pool.ledger!.audit().fill, 128, 'the closed socket took no chunk');
    program.map(FLOW_SOCKETS).update(0, second.fd);
    send(out, veth, 50);
    const burst = new Burst(64);
    let received = 0;
    waitFor(() => {
      received += second.rx(burst);
      second.recycle(burst);
      return received === 50;
    }, 'the other socket receives through the rings they had in common');
  });

  onVeth('a frame with more pieces than the burst has room leaves every chunk with one owner', (veth) => {
    for (const { namespace, name } of [veth.a, veth.b])
      withNetns(namespace, () => setLink(name, { mtu: 9000 }));
    using sender = makeUmem();
    using out = openSocket(veth.a, sender, { multiBuffer: true });
    using xdp = withNetns(
      veth.b.namespace,
      () =>
        new XdpInterface({
          ...{ interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }], multiBuffer: true, debug: true },
          ...{ mode: 'copy', rxSize: 64, txSize: 64 },
        }),
    );
    const frame = udpFrame(parseMac(veth.a.mac), parseMac(veth.b.mac), 5000, 1);
    const pieces = new Burst(4);
    out.alloc(pieces, 4);
    for (let i = 0; i < 4; i++) {
      const piece = frame.subarray(i * 1500, (i + 1) * 1500);
      sender.bytes.set(piece, pieces.addr[i]!);
      pieces.len[i] = piece.length;
      pieces.flags[i] = i < 3 ? FrameFlags.continues : 0;
    }
    assert.equal(out.tx(pieces), 4);
    pieces.dropPrefix(4);
    out.flush();
    const socket = xdp.sockets[0]!;
    const small = new Burst(2);
    assert.throws(() => waitFor(() => socket.rx(small) > 0, 'a frame'), /more than 2 pieces.*18 will do/);
    assert.equal(small.count, 0);
    socket.recycle(small);
    const burst = new Burst(18);
    assert.ok(socket.rx(burst) > 2, 'the frame is still there');
    socket.recycle(burst);
  });

  onVeth('opening and closing sockets keeps what senders need', (veth) => {
    using umem = makeUmem({ chunkCount: 250 });
    using socket = openSocket(veth.a, umem);
    assert.equal(umem.txReserve, 64);
    assert.throws(() => openSocket(veth.b, umem), /of 250 chunks none is left to receive into/);
    assert.equal(umem.txReserve, 64);
    const second = openSocket(veth.b, umem, { rxSize: 1, txSize: 32 });
    assert.equal(umem.txReserve, 96);
    second.close();
    assert.equal(umem.txReserve, 64);
    const burst = new Burst(64);
    assert.equal(socket.alloc(burst, 64), 64);
    socket.recycle(burst);
  });

  onVeth('allocating and recycling over and over lends the senders nothing away', (veth) => {
    using umem = makeUmem({ shared: false, chunkCount: 128 });
    using socket = openSocket(veth.a, umem);
    const burst = new Burst(16);
    for (let round = 0; round < 50; round++) {
      assert.equal(socket.alloc(burst, 16), 16, `round ${round}`);
      socket.recycle(burst);
    }
  });

  onVeth('a chunk reads as 0xdb once it was recycled or sent, with a ledger', (veth) => {
    using umem = makeUmem();
    using sender = openSocket(veth.a, umem);
    using receiver = withNetns(
      veth.b.namespace,
      () => new XdpInterface({ interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }], debug: true }),
    );
    const socket = receiver.sockets[0]!;
    const frame = udpFrame(parseMac(veth.a.mac), parseMac(veth.b.mac), 30, 1);
    const gone = new Uint8Array(frame.length).fill(0xdb);
    const burst = new Burst(1);
    const read = ({ bytes }: Umem, addr: number): Uint8Array => bytes.slice(addr, addr + frame.length);

    sender.alloc(burst, 1);
    let addr = burst.addr[0]!;
    umem.bytes.set(frame, addr);
    sender.recycle(burst);
    assert.deepEqual(read(umem, addr), gone, 'recycled to the pool');

    sender.alloc(burst, 1);
    addr = burst.addr[0]!;
    umem.bytes.set(frame, addr);
    burst.len[0] = frame.length;
    burst.dropPrefix(sender.tx(burst));
    assert.deepEqual(read(umem, addr), frame, 'on the tx ring');
    sender.flush();
    waitFor(() => {
      sender.reap();
      return umem.pool.ledger!.audit().tx === 0;
    }, 'the completion');
    assert.deepEqual(read(umem, addr), gone, 'sent');

    waitFor(() => socket.rx(burst) === 1, 'the frame');
    addr = burst.addr[0]!;
    assert.deepEqual(read(socket.umem, addr), frame);
    socket.recycle(burst);
    assert.deepEqual(read(socket.umem, addr), gone, 'recycled to the fill ring');
  });

  onVeth('a burst without metadata has the stamp of the lane, and no hash', (veth) => {
    using umem = makeUmem();
    using sender = openSocket(veth.a, umem);
    using receiver = withNetns(
      veth.b.namespace,
      () => new XdpInterface({ interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }] }),
    );
    assert.equal(receiver.timestampSource, 'lane');
    const burst = new Burst(8, { timestamps: true, hashes: true });
    burst.hash!.fill(7);
    for (let round = 0; round < 3; round++) {
      const before = nowNs();
      send(sender, veth, 2);
      for (let received = 0; received < 2; received += burst.count) {
        waitFor(() => receiver.sockets[0]!.rx(burst) > 0, 'the frames');
        const stamps = [...burst.timestampNs!.subarray(0, burst.count)];
        assert.equal(new Set(stamps).size, 1, 'one look at the clock for a burst');
        assert.ok(stamps[0]! > before && stamps[0]! <= nowNs());
        assert.ok([...burst.hash!.subarray(0, burst.count)].every((hash) => hash === 0));
      }
      receiver.sockets[0]!.recycle(burst);
    }
  });

  onVeth('a lane has of the metadata of its group what the group has', (veth) => {
    const program = { interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }] };
    const here = <T>(run: () => T): T => withNetns(veth.b.namespace, run);
    using plain = here(() => new XdpGroup({ ...program, attach: 'generic' }));
    const all = { timestamp: 'hardware', hash: true } as const;
    const join = (group: { readonly socketsFd: number }, more: Partial<XdpInterfaceSpec>): XdpInterface =>
      here(() => new XdpInterface({ ...program, mode: 'copy', group: group.socketsFd, ...more }));
    assert.throws(() => join(plain, { metadata: {} }), {
      name: 'TypeError',
      message:
        'Cannot join the group of vb with metadata: its program writes none; give metadata to the group',
    });
    join(plain, {}).close();
    plain.close();
    // In generic mode the driver tells nothing.
    using generic = here(() => new XdpGroup({ ...program, metadata: all, attach: 'generic' }));
    assert.throws(
      () => join(generic, { metadata: all, strict: true }),
      /tells no hardware timestamp and no hash/,
    );
    const less = join(generic, { metadata: all });
    assert.equal(less.timestampSource, 'kernel');
    assert.deepEqual(less.reasons, [
      'frames come without hardware timestamp: the group has none',
      'frames come without hash: the group has none',
    ]);
    less.close();
    generic.close();
    using native = here(() => new XdpGroup({ ...program, metadata: all, attach: 'native' }));
    using lane = join(native, { metadata: all, strict: true });
    assert.equal(lane.timestampSource, 'hardware');
    using umem = makeUmem();
    using sender = openSocket(veth.a, umem);
    const burst = new Burst(1, { timestamps: true, hashes: true });
    const before = nowNs();
    send(sender, veth, 1);
    waitFor(() => lane.sockets[0]!.rx(burst) > 0, 'the frame');
    assert.ok(burst.timestampNs![0]! > before && burst.timestampNs![0]! < nowNs());
    assert.throws(
      () => join({ socketsFd: lane.sockets[0]!.fd }, {}),
      /Cannot ask about BPF map of descriptor/,
    );
  });

  onVeth('metadata that the kernel would complete and keep is refused', (veth) => {
    using umem = makeUmem({ txMetadata: true });
    using socket = openSocket(veth.a, umem);
    const metadata = new TxMetadata(umem);
    const burst = new Burst(1);
    socket.alloc(burst, 1);
    burst.len[0] = 60;
    metadata.askChecksum(burst, 0, 58, 6);
    assert.throws(() => socket.tx(burst), /its checksum would end at 66 of 60 bytes/);
    metadata.askChecksum(burst, 0, 34, 6);
    umem.view.setUint32(burst.addr[0]! - 24, 8, true);
    assert.throws(() => socket.tx(burst), /flags must be of TxMetadata, got 0x8/);
    burst.flags[0] = 0;
    assert.equal(socket.tx(burst), 1);
    socket.flush();
    using plain = makeUmem();
    using other = openSocket(veth.b, plain);
    burst.clear();
    other.alloc(burst, 1);
    burst.len[0] = 60;
    burst.flags[0] = FrameFlags.txMetadata;
    assert.throws(() => other.tx(burst), /the umem has no room for it/);
    other.recycle(burst);
    plain.pool.ledger!.assertNone(ChunkOwner.application);
  });

  onVeth('an addr beyond every chunk is refused, from 2^31 on too', (veth) => {
    using umem = makeUmem();
    using socket = openSocket(veth.a, umem);
    const burst = new Burst(1);
    socket.alloc(burst, 1);
    const addr = burst.addr[0]!;
    for (const wrong of [umem.len, 2 ** 31, 2 ** 32 - 256]) {
      burst.addr[0] = wrong;
      burst.len[0] = 60;
      assert.throws(() => socket.tx(burst), /the umem ends at/, String(wrong));
    }
    burst.addr[0] = addr;
    socket.recycle(burst);
  });

  onVeth(
    'a queue that cannot send, and memory that is given and asked for, are said so',
    (veth) => {
      using umem = makeUmem();
      const spec = { interface: veth.b.name, flows: [{ port: TEST_UDP_PORT }], umem };
      assert.throws(
        () => withNetns(veth.b.namespace, () => new XdpInterface({ ...spec, debug: true })),
        /debug is a/,
      );
      const zerocopy = { ...spec, attach: 'generic', mode: 'zerocopy' } as const;
      assert.throws(
        () => withNetns(veth.b.namespace, () => new XdpInterface(zerocopy)),
        /generic mode has no zero-copy/,
      );
    },
    2,
  );

  onVeth(
    'promiscuous mode and groups last as long as the interface is open, and steering says that veth cannot',
    (veth) => {
      const here = <T>(run: () => T): T => withNetns(veth.b.namespace, run);
      const promiscuity = (): number => here(() => link(veth.b.name).promiscuity);
      // 239.1.2.3, as the kernel writes it.
      const member = (): boolean =>
        here(() => readFileSync('/proc/thread-self/net/igmp', 'utf8')).includes('030201EF');
      const spec = {
        interface: veth.b.name,
        flows: [{ port: TEST_UDP_PORT, version: 4 as const }],
        mode: 'copy' as const,
      };
      const xdp = here(
        () =>
          new XdpInterface({ ...spec, promiscuous: true, groups: ['239.1.2.3'], steer: true, queues: [0] }),
      );
      assert.equal(promiscuity(), 1);
      assert.equal(member(), true);
      assert.match(xdp.reasons.join(), /flows not steered to queue 0: .*EOPNOTSUPP/);
      xdp.close();
      assert.equal(promiscuity(), 0);
      assert.equal(member(), false);
      const strict = { ...spec, attach: 'native', steer: true, strict: true } as const;
      assert.throws(() => here(() => new XdpInterface(strict)), /EOPNOTSUPP/);
      assert.equal(
        here(() => link(veth.b.name).xdp),
        undefined,
        'nothing is left attached',
      );
    },
  );

  it('unaligned chunks are not taken to a NIC on pages that they cross', (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    using umem = makeUmem({ unaligned: true, chunkLen: 3000, shared: false });
    assert.throws(
      () => openSocket(veth.a, umem, { mode: 'zerocopy' }),
      /huge pages that none of them crosses/,
    );
    using socket = openSocket(veth.a, umem, { mode: 'auto' });
    assert.match(socket.reasons.join(), /copy instead of zero-copy: unaligned chunks/);
  });
});
