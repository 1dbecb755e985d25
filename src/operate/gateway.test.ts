import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { LoopPort, type Port } from '../port/index.ts';
import { Epoll, EventFd, SystemError } from '../sys/index.ts';
import { EtherType, UdpFrameTemplate, writeEthernetHeader } from '../wire/index.ts';
import { Gateway, type GatewayReading, type GatewayRoute, type GatewaySpec } from './gateway.ts';
import { outletCounters } from './outlet.ts';

const CHUNKS = 128;
const HOST = '10.0.0.2';
const RUNS = process.env.BAREWIRE_SOAK === '1' ? 5_000 : 60;

/** A gateway between loop ports: what `wire` sends arrives at the gateway, and each of `apps` is a destination. */
interface Rig {
  readonly gateway: Gateway;
  readonly wire: LoopPort;
  readonly from: LoopPort;
  readonly apps: readonly LoopPort[];
  readonly ends: readonly LoopPort[];
}

/** How the loop ports are made, and the gateway over them. */
interface RigSpec extends GatewaySpec {
  readonly ringSize?: number;
  readonly chunkCount?: number;
  readonly flows?: readonly GatewayRoute['flows'][];
}

function rig(spec: RigSpec = {}): Rig {
  const { ringSize = 64, chunkCount = CHUNKS, flows = [[{ port: 9000 }], [{ port: 9001 }]] } = spec;
  const [wire, from] = LoopPort.pair({ chunkCount: CHUNKS, ringSize: 64, debug: true });
  const pairs = flows.map(() => LoopPort.pair({ chunkCount, ringSize, debug: true }));
  const routes = pairs.map(([port], i) => ({ port, flows: flows[i]! }));
  return {
    gateway: new Gateway(from, routes, spec),
    ...{ wire, from },
    apps: pairs.map(([, app]) => app),
    ends: pairs.map(([end]) => end),
  };
}

/** What the ledgers prove at the end: no chunk is left with the gateway. */
function assertReturned({ wire, from, apps, ends }: Rig): void {
  for (const port of [wire, from, ...apps, ...ends]) while (receive(port).length > 0);
  for (const pool of [wire, ...ends].flatMap((port) => port.pools)) {
    pool.ledger!.assertNone(ChunkOwner.application);
  }
}

interface Datagram {
  readonly to?: string;
  readonly from?: string;
  readonly port?: number;
  readonly sourcePort?: number;
  readonly len?: number;
  readonly vlan?: number;
  readonly sourceMac?: string;
}

function datagram(spec: Datagram = {}): Uint8Array {
  const { to = HOST, len = 32, vlan } = spec;
  const template = new UdpFrameTemplate({
    destinationMac: '02:00:00:00:00:02',
    sourceMac: spec.sourceMac ?? '02:00:00:00:00:01',
    destinationAddress: to,
    sourceAddress: spec.from ?? (to.includes(':') ? 'fd00::1' : '10.0.0.1'),
    destinationPort: spec.port ?? 9000,
    sourcePort: spec.sourcePort ?? 40_000,
    ...(vlan === undefined ? {} : { vlans: [{ id: vlan }] }),
  });
  const frame = new Uint8Array(template.headerLen + len).map((_, i) => i);
  template.write(new DataView(frame.buffer), 0, len);
  return frame;
}

/** What an application sends that answers: from the interface's MAC address, the flow's address and port. */
const answer = (spec: Datagram = {}): Uint8Array =>
  datagram({
    ...{ sourceMac: '02:00:00:00:00:02', to: '10.0.0.1', from: HOST, port: 40_000, sourcePort: 9000 },
    ...spec,
  });

/** Sends frames, each in pieces of at most `pieceLen` bytes. */
function send(port: Port, frames: readonly Uint8Array[], pieceLen = 2048, flags = 0): void {
  const burst = new Burst(64);
  for (const frame of frames) {
    for (let at = 0; at < frame.length; at += pieceLen) {
      const piece = frame.subarray(at, at + pieceLen);
      assert.equal(port.alloc(burst, 1), 1);
      const i = burst.count - 1;
      port.regions[burst.region[i]!]!.bytes.set(piece, burst.addr[i]!);
      burst.len[i] = piece.length;
      burst.flags[i] = flags | (at + pieceLen < frame.length ? FrameFlags.continues : 0);
    }
  }
  const { count } = burst;
  assert.equal(port.tx(burst), count);
}

/** Receives a burst and puts frames in pieces together. */
function receive(port: Port, pieces: number[] = []): Uint8Array[] {
  const burst = new Burst(64);
  port.rx(burst);
  const frames: Uint8Array[] = [];
  let frame: number[] = [];
  let count = 0;
  for (let i = 0; i < burst.count; i++) {
    const addr = burst.addr[i]!;
    frame.push(...port.regions[burst.region[i]!]!.bytes.subarray(addr, addr + burst.len[i]!));
    count++;
    if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
    frames.push(Uint8Array.from(frame));
    pieces.push(count);
    frame = [];
    count = 0;
  }
  port.recycle(burst);
  return frames;
}

const outcome = ({ dropped, destinations }: GatewayReading): unknown => ({
  nobody: dropped,
  in: destinations.map((each) => [each.in.sent, each.in.dropped]),
});

describe('Gateway, to its destinations', () => {
  it('forwards each flow to its destination, unchanged, tags and IPv6 included', () => {
    const own = rig();
    const first = [datagram(), datagram({ vlan: 5 }), datagram({ to: 'fd00::2' }), datagram({ len: 1400 })];
    const second = [datagram({ port: 9001 }), datagram({ port: 9001, to: '10.1.1.1', len: 0 })];
    send(own.wire, [first[0]!, second[0]!, first[1]!, first[2]!, second[1]!, first[3]!]);
    assert.equal(own.gateway.poll(64), 6);
    assert.deepEqual(receive(own.apps[0]!), first);
    assert.deepEqual(receive(own.apps[1]!), second);
    assert.deepEqual(outcome(own.gateway.read(1)), {
      nobody: {},
      in: [
        [4, {}],
        [2, {}],
      ],
    });
    assertReturned(own);
  });

  it('prefers a flow with the address, and counts what is nobody’s under its reason', () => {
    const own = rig({ flows: [[{ port: 9000 }], [{ port: 9000, address: HOST }, { port: 9001 }]] });
    const arp = new Uint8Array(60);
    writeEthernetHeader(new DataView(arp.buffer), 0, {
      destination: 'ff:ff:ff:ff:ff:ff',
      source: '02:00:00:00:00:01',
      etherType: EtherType.arp,
    });
    const cut = datagram().subarray(0, 30);
    send(own.wire, [datagram(), datagram({ to: '10.0.0.3' }), datagram({ port: 9 }), arp, cut]);
    own.gateway.poll(64);
    assert.deepEqual(receive(own.apps[0]!), [datagram({ to: '10.0.0.3' })]);
    assert.deepEqual(receive(own.apps[1]!), [datagram()]);
    assert.deepEqual(own.gateway.read(1).dropped, { noFlow: 1, notIp: 1, ipv4Truncated: 1 });
    assert.equal(own.gateway.read(1).received, 5);
    assertReturned(own);
  });

  it('gives the others everything while one destination takes nothing', () => {
    for (const { ringSize, chunkCount, reason } of [
      { ringSize: 8, chunkCount: 128, reason: 'full' },
      { ringSize: 64, chunkCount: 8, reason: 'noChunk' },
    ]) {
      const own = rig({ ringSize, chunkCount });
      for (let round = 0; round < 50; round++) {
        send(own.wire, [datagram(), datagram({ port: 9001 }), datagram()]);
        own.gateway.poll(64);
        assert.equal(receive(own.apps[1]!).length, 1);
        for (const pool of own.wire.pools) pool.ledger!.assertNone(ChunkOwner.application);
      }
      assert.deepEqual(outcome(own.gateway.read(1)), {
        nobody: {},
        in: [
          [8, { [reason]: 92 }],
          [50, {}],
        ],
      });
      assert.equal(receive(own.apps[0]!).length, 8);
      send(own.wire, [datagram()]);
      own.gateway.poll(64);
      assert.equal(receive(own.apps[0]!).length, 1, 'it goes on where it takes frames again');
      assertReturned(own);
    }
  });

  it('takes no chunk for a destination without a peer, and tells full from not connected', () => {
    const [port, app] = LoopPort.pair({ ringSize: 1, debug: true });
    const peered = Object.assign(port, { connected: true });
    const [wire, near] = LoopPort.pair();
    const gateway = new Gateway(near, [{ port: peered, flows: [{ port: 9000 }] }]);
    send(wire, [datagram(), datagram()]);
    gateway.poll(64);
    peered.connected = false;
    send(wire, [datagram()]);
    gateway.poll(64);
    const [reading] = gateway.read(1).destinations;
    assert.deepEqual(reading!.in, { sent: 1, dropped: { full: 1, notConnected: 1 } });
    assert.equal(reading!.connected, false);
    assert.equal(receive(app).length, 1);
  });

  it('forwards frames over several chunks whole, in as many as the destination needs', () => {
    const own = rig();
    const jumbo = datagram({ len: 4000, port: 9001 });
    const short = datagram({ len: 300 });
    Object.assign(own.ends[1]!, { mtu: 9000 });
    // The port's mtu is read when the gateway is made.
    const routes = own.ends.map((port, i) => ({ port, flows: [{ port: 9000 + i }] }));
    const gateway = new Gateway(own.from, routes);
    send(own.wire, [jumbo, datagram({ len: 4000 }), short], 200);
    gateway.poll(64);
    const pieces: number[] = [];
    assert.deepEqual(receive(own.apps[1]!, pieces), [jumbo]);
    assert.deepEqual(pieces, [3], 'pieces of 1792 bytes');
    assert.deepEqual(receive(own.apps[0]!, pieces), [short]);
    assert.deepEqual(gateway.read(1).destinations[0]!.in.dropped, { badLength: 1 });
    assertReturned(own);
  });
});

describe('Gateway, from its destinations', () => {
  it('lets a destination answer from its flows, by the MAC address of the interface', () => {
    const own = rig({ addresses: [Uint8Array.of(10, 0, 0, 2)] });
    const frames = [answer(), answer({ vlan: 7 }), answer({ to: '192.0.2.9', port: 53, len: 1400 })];
    send(own.apps[0]!, frames);
    assert.equal(own.gateway.poll(64), 3);
    assert.deepEqual(receive(own.wire), frames);
    assert.deepEqual(own.gateway.read(1).destinations[0]!.out, { sent: 3, dropped: {} });
    assertReturned(own);
  });

  it('counts what is not from a flow of the destination as notAllowed', () => {
    const own = rig({ addresses: [Uint8Array.of(10, 0, 0, 2)] });
    const refused = [
      answer({ sourceMac: '02:00:00:00:00:01' }),
      answer({ sourceMac: '02:00:00:00:01:02' }),
      answer({ sourcePort: 9001 }),
      answer({ sourcePort: 22 }),
      answer({ from: '10.0.0.1' }),
      answer({ to: 'fd00::1', from: 'fd00::2' }),
      answer().subarray(0, 41),
      answer().fill(6, 12, 14),
    ];
    send(own.apps[0]!, [...refused, answer()]);
    own.gateway.poll(64);
    assert.deepEqual(receive(own.wire), [answer()]);
    const { out } = own.gateway.read(1).destinations[0]!;
    assert.deepEqual(out, { sent: 1, dropped: { notAllowed: refused.length } });
    assertReturned(own);
  });

  it('judges a frame in pieces, however small, by all of its headers', () => {
    const own = rig({ addresses: [Uint8Array.of(10, 0, 0, 2)] });
    send(own.apps[0]!, [answer()], 8);
    send(own.apps[0]!, [answer({ sourcePort: 22 })], 8);
    own.gateway.poll(64);
    assert.deepEqual(receive(own.wire), [answer()]);
    assert.deepEqual(own.gateway.read(1).destinations[0]!.out.dropped, { notAllowed: 1 });
    assertReturned(own);
  });

  it('lets everything out with any, and nothing with none; frames that no port sends are dropped', () => {
    const foreign = answer({ sourceMac: '02:00:00:00:00:09', sourcePort: 22 });
    const any = rig({ out: 'any' });
    send(any.apps[1]!, [foreign, foreign.subarray(0, 13)]);
    any.gateway.poll(64);
    assert.deepEqual(receive(any.wire), [foreign]);
    assert.deepEqual(any.gateway.read(1).destinations[1]!.out, { sent: 1, dropped: { badLength: 1 } });
    assertReturned(any);

    const none = rig({ out: 'none' });
    send(none.apps[0]!, [answer()]);
    assert.equal(none.gateway.poll(64), 1);
    assert.deepEqual(receive(none.wire), []);
    assert.deepEqual(none.gateway.read(1).destinations[0]!.out, { sent: 0, dropped: { notAllowed: 1 } });
    assertReturned(none);
  });

  it('takes one burst of each destination a poll, and lets each be first in turn', () => {
    const own = rig({ burst: 2, addresses: [Uint8Array.of(10, 0, 0, 2)] });
    for (const [i, app] of own.apps.entries()) {
      const of = (len: number): Uint8Array => answer({ sourcePort: 9000 + i, len });
      send(app, [of(1), of(2), of(3)]);
    }
    const senders = (): number[] => {
      own.gateway.poll(64);
      return receive(own.wire).map((frame) => (frame[34]! << 8) | frame[35]!);
    };
    const first = senders();
    assert.equal(first.length, 4);
    const second = senders();
    assert.equal(second.length, 2);
    assert.notEqual(first[0], second[0]);
    assertReturned(own);
  });
});

describe('Gateway', () => {
  it('has every port go on with what it took before, whoever keeps the gateway busy', () => {
    const own = rig();
    const flushed = new Set<Port>();
    for (const port of [own.from, ...own.ends]) {
      Object.assign(port, {
        flush: () => {
          flushed.add(port);
        },
      });
    }
    // Nothing of it leaves: it is not from a flow.
    send(own.apps[0]!, [answer({ sourcePort: 22 })]);
    assert.equal(own.gateway.poll(64), 1);
    assert.equal(flushed.size, 3);
  });

  it('goes on without a destination whose port is lost, and counts its frames', () => {
    const own = rig();
    const gone = new SystemError('Cannot receive', { syscall: 'recvfrom', errno: 100, subject: 'tap0' });
    Object.assign(own.ends[0]!, {
      rx: () => {
        throw gone;
      },
    });
    own.gateway.poll(64);
    send(own.wire, [datagram(), datagram({ port: 9001 })]);
    own.gateway.poll(64);
    own.gateway.arm();
    assert.equal(receive(own.apps[1]!).length, 1);
    const [first] = own.gateway.read(1).destinations;
    assert.deepEqual([first!.lost, first!.connected], [gone.message, false]);
    assert.deepEqual(first!.in, { sent: 0, dropped: { lost: 1 } });
  });

  it('lets nobody who sleeps be woken by a port that is lost', () => {
    const [port] = LoopPort.pair();
    // As that of a tap interface that was removed: ready for ever.
    using broken = EventFd.create('of a lost port');
    broken.signal();
    Object.assign(port, { fds: [broken.fd] });
    const own = rig();
    using gateway = new Gateway(own.from, [{ port, flows: [{ port: 9000 }] }]);
    using sleeper = new Epoll('of the sleeper');
    for (const fd of gateway.fds) sleeper.add(fd, 1);
    assert.equal(sleeper.wait(0), 1);
    Object.assign(port, {
      rx: () => {
        throw new SystemError('Cannot receive', { syscall: 'read', errno: 77, subject: 'tap0' });
      },
    });
    gateway.poll(64);
    assert.equal(sleeper.wait(0), 0);
  });

  it('ends with the error when the port that flows come from is lost', () => {
    const own = rig();
    Object.assign(own.from, {
      rx: () => {
        throw new SystemError('Cannot receive', { syscall: 'recvfrom', errno: 100, subject: 'eth0' });
      },
    });
    assert.throws(() => own.gateway.poll(64), { code: 'ENETDOWN' });
  });

  it('has every reason to drop a frame in docs/gateway.md', () => {
    const page = readFileSync(new URL('../../docs/gateway.md', import.meta.url), 'utf8');
    for (const reason of [...outletCounters.slice(1), 'noFlow'])
      assert.ok(page.includes(`\n| \`${reason}\` |`), reason);
  });

  it('forwards or counts every frame, whoever stalls', () => {
    const samples = [
      datagram(),
      datagram({ port: 9001 }),
      datagram({ port: 9, vlan: 3 }),
      datagram({ len: 1450, to: 'fd00::2' }),
      answer(),
      answer({ sourcePort: 9001 }),
      Uint8Array.of(1),
      new Uint8Array(99).fill(0x45),
    ];
    const frame = fc.nat({ max: samples.length - 1 });
    const step = fc.record({
      who: fc.constantFrom('wire', 'app0', 'app1', 'poll', 'drain0', 'drain1', 'drainWire'),
      frames: fc.array(frame, { minLength: 1, maxLength: 5 }),
      pieceLen: fc.constantFrom(40, 700, 2048),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(4, 64), (steps, burst) => {
        const own = rig({ burst, ringSize: 64, chunkCount: 96 });
        const drain = [own.apps[0]!, own.apps[1]!, own.wire] as const;
        let sent = 0;
        for (const { who, frames, pieceLen } of steps) {
          const at = ['app0', 'app1', 'wire'].indexOf(who);
          if (who === 'poll') own.gateway.poll(64);
          else if (at < 0) receive(drain[['drain0', 'drain1', 'drainWire'].indexOf(who)]!);
          else {
            const chosen = frames.map((i) => samples[i]!);
            sent += trySend(drain[at]!, chosen, pieceLen);
          }
        }
        // A port may find nothing but a chain that it has to drop, and return 0.
        for (let i = 0; i < 100; i++) own.gateway.poll(64);
        const reading = own.gateway.read(1);
        const sum = (counts: Readonly<Record<string, number>>): number =>
          Object.values(counts).reduce((total, count) => total + count, 0);
        const ways = reading.destinations.flatMap((each) => [each.in, each.out]);
        const counted = ways.reduce((total, way) => total + way.sent + sum(way.dropped), 0);
        const tooLong = [own.from, ...own.ends].reduce((n, port) => n + sum(port.statistics().drops), 0);
        assert.equal(counted + sum(reading.dropped) + tooLong, sent);
        assertReturned(own);
      }),
      { numRuns: RUNS },
    );
  });
});

/** Sends one frame after the other as far as there is room. @returns how many */
function trySend(port: LoopPort, frames: readonly Uint8Array[], pieceLen: number): number {
  let sent = 0;
  for (const frame of frames) {
    const pieces = Math.ceil(frame.length / pieceLen);
    const room = new Burst(pieces);
    if (port.alloc(room, pieces) < pieces) {
      port.recycle(room);
      continue;
    }
    for (let i = 0; i < pieces; i++) {
      const piece = frame.subarray(i * pieceLen, (i + 1) * pieceLen);
      port.regions[room.region[i]!]!.bytes.set(piece, room.addr[i]!);
      room.len[i] = piece.length;
      room.flags[i] = i + 1 < pieces ? FrameFlags.continues : 0;
    }
    if (port.tx(room) === pieces) sent++;
    else port.recycle(room);
  }
  return sent;
}
