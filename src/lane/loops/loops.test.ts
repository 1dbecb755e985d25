import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { TEST_UDP_PORT, udpFrame } from '../../../test/support/frames.ts';
import { Burst, ChunkOwner, FrameFlags } from '../../core/index.ts';
import { LoopPort, MemifPort, type Port } from '../../port/index.ts';
import { parseUdpFrame, UdpFrame } from '../../wire/index.ts';
import { L2Forward, type PortLoop, RxDrop, TxOnly, UdpEcho } from './index.ts';

const CHUNKS = 64;

/** A wire whose near end a loop drives; the ledger proves at the end that no chunk is left with anybody. */
function wire(ringSize = 32): { far: LoopPort; near: LoopPort } {
  const [far, near] = LoopPort.pair({ chunkCount: CHUNKS, ringSize, debug: true });
  return { far, near };
}

function assertReturned(...ports: readonly LoopPort[]): void {
  for (const pool of ports.flatMap((port) => port.pools)) {
    pool.ledger!.assertNone(ChunkOwner.application);
    assert.equal(pool.free, CHUNKS);
  }
}

function send(port: Port, ...frames: readonly Uint8Array[]): void {
  const burst = new Burst(64);
  assert.equal(port.alloc(burst, frames.length), frames.length);
  for (const [i, frame] of frames.entries()) {
    port.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
    burst.len[i] = frame.length;
  }
  assert.equal(port.tx(burst), frames.length);
}

function receive(port: Port): Uint8Array[] {
  const burst = new Burst(64);
  port.rx(burst);
  const frames = Array.from({ length: burst.count }, (_, i) => {
    const addr = burst.addr[i]!;
    return port.regions[burst.region[i]!]!.bytes.slice(addr, addr + burst.len[i]!);
  });
  port.recycle(burst);
  return frames;
}

/** Frames with all bytes different in their first 12, of the shortest lengths that can be forwarded and longer. */
const numbered = (tag: number, len = 60): Uint8Array => Uint8Array.from({ length: len }, (_, i) => tag + i);

const swapped = (frame: Uint8Array): Uint8Array =>
  Uint8Array.from(frame, (_, i) => frame[i < 6 ? i + 6 : i < 12 ? i - 6 : i]!);

const answerOf = (far: Port, near: Port, len: number, tag: number): Uint8Array =>
  udpFrame(near.mac, far.mac, len, tag);

/** The same port on an interface with longer packets, which go over several chunks. */
const withMtu = (port: LoopPort, mtu: number): Port => Object.assign(port, { mtu });

describe('RxDrop', () => {
  it('returns every chunk and drops nothing', () => {
    const { far, near } = wire();
    const loop = new RxDrop(near, { burst: 8 });
    send(far, ...Array.from({ length: 20 }, (_, i) => numbered(i)));
    assert.deepEqual([loop.poll(64), loop.poll(64), loop.poll(64), loop.poll(64)], [8, 8, 4, 0]);
    assert.equal(near.statistics().rxFrames, 20);
    assert.deepEqual(loop.drops(), {});
    assertReturned(far);
  });
});

describe('TxOnly', () => {
  it('sends its frame, unchanged by what happens to the bytes it was given', () => {
    for (const len of [14, 15, 16, 17, 60, 1514]) {
      const { far, near } = wire();
      const frame = numbered(3, len);
      const loop = new TxOnly(near, frame, { burst: 4 });
      frame.fill(0);
      assert.equal(loop.poll(64), 4);
      assert.deepEqual(
        receive(far),
        Array.from({ length: 4 }, () => numbered(3, len)),
      );
      assertReturned(far);
    }
  });

  it('keeps frames for which there is no room, and sends them later', () => {
    const { far, near } = wire(4);
    const loop = new TxOnly(near, numbered(1), { burst: 6 });
    assert.deepEqual([loop.poll(64), loop.poll(64)], [4, 0]);
    assert.equal(receive(far).length, 4);
    assert.equal(loop.poll(64), 4);
    assert.equal(near.statistics().txFrames, 8);
    assert.deepEqual(loop.drops(), {});
  });

  it('sends nothing twice when the port fails after it took frames', () => {
    const { far, near } = wire();
    const gone = new Error('the interface is gone');
    const flush = mock.method(near, 'flush', () => {
      throw gone;
    });
    const loop = new TxOnly(near, numbered(1), { burst: 4 });
    assert.throws(() => loop.poll(64), gone);
    flush.mock.restore();
    assert.equal(loop.poll(64), 4);
    assert.equal(receive(far).length, 8);
    assertReturned(far);
  });

  it('refuses a frame that no chunk has room for, however long the packets of the port are', () => {
    const { near } = wire();
    const jumbo = withMtu(near, 9000);
    assert.throws(() => new TxOnly(jumbo, new Uint8Array(1793)), /1793 bytes on loop:: wanted 14 to 1792/);
    assert.equal(new TxOnly(jumbo, new Uint8Array(1792), { burst: 4 }).poll(64), 4);
  });

  it('refuses a frame that no port sends', () => {
    const { near } = wire();
    assert.throws(() => new TxOnly(near, new Uint8Array(13)), /13 bytes on loop:: wanted 14 to 1518/);
    assert.throws(() => new TxOnly(near, new Uint8Array(1519)), RangeError);
  });
});

describe('L2Forward', () => {
  it('sends frames back in their chunks, MAC addresses exchanged', () => {
    const { far, near } = wire();
    const loop = new L2Forward(near);
    const frames = [numbered(0, 14), numbered(60), numbered(128, 61), numbered(250, 1500)];
    send(far, ...frames);
    assert.equal(loop.copies, false);
    assert.equal(loop.poll(64), 4);
    assert.deepEqual(receive(far), frames.map(swapped));
    assertReturned(far);
  });

  it('exchanges the MAC addresses of a frame over several chunks once, on a port with one region as well', () => {
    const path = `@barewire-loops-${process.pid}`;
    using far = new MemifPort({ path, role: 'server', chunkLen: 512 });
    using near = new MemifPort({ path, chunkLen: 512 });
    while (!(far.connected && near.connected)) for (const port of [far, near]) port.rx(new Burst(1));
    assert.equal(near.regions.length, 1);
    const loop = new L2Forward(near);
    const frame = numbered(3, 1300);
    const burst = new Burst(64);
    assert.equal(far.alloc(burst, 4), 4);
    for (let i = 0; i < 4; i++) {
      const piece = i < 3 ? frame.subarray(i * 512, (i + 1) * 512) : numbered(9, 60);
      far.regions[0]!.bytes.set(piece, burst.addr[i]!);
      burst.len[i] = piece.length;
      burst.flags[i] = i < 2 ? FrameFlags.continues : 0;
    }
    assert.equal(far.tx(burst), 4);
    assert.equal(loop.poll(64), 4);
    // The server receives a frame of several pieces by itself.
    assert.deepEqual(new Uint8Array(Buffer.concat(receive(far))), swapped(frame));
    assert.deepEqual(receive(far), [swapped(numbered(9, 60))]);
  });

  it('leaves MAC addresses alone when asked to', () => {
    const { far, near } = wire();
    send(far, numbered(7));
    new L2Forward(near, near, { swapMacs: false }).poll(64);
    assert.deepEqual(receive(far), [numbered(7)]);
  });

  it('exchanges the MAC addresses of a frame over several chunks once, in the first', () => {
    const { far, near } = wire();
    const burst = new Burst(4);
    far.alloc(burst, 3);
    for (let i = 0; i < 3; i++) {
      far.regions[burst.region[i]!]!.bytes.set(numbered(i), burst.addr[i]!);
      burst.len[i] = 60;
    }
    burst.flags.set([FrameFlags.continues, FrameFlags.continues, 0]);
    far.tx(burst);
    assert.equal(new L2Forward(near).poll(64), 3);
    assert.deepEqual(receive(far), [swapped(numbered(0)), numbered(1), numbered(2)]);
    assertReturned(far);
  });

  it('copies between ports that share no memory, and returns the originals', () => {
    const one = wire();
    const two = wire();
    const loop = new L2Forward(one.near, two.near);
    const frames = Array.from({ length: 10 }, (_, i) => numbered(i, 50 + i));
    send(one.far, ...frames);
    assert.equal(loop.copies, true);
    assert.equal(loop.poll(64), 10);
    assert.deepEqual(receive(two.far), frames.map(swapped));
    assertReturned(one.far, two.far);
  });

  it('names regions as the second port does when it sees the same memory', () => {
    const { far, near } = wire();
    const sent: number[] = [];
    const turned: Port = Object.create(near, {
      regions: { value: near.regions.toReversed() },
      tx: {
        value: (burst: Burst) => {
          sent.push(...burst.region.subarray(0, burst.count));
          for (let i = 0; i < burst.count; i++) burst.region[i] = 1 - burst.region[i]!;
          return near.tx(burst);
        },
      },
      flush: { value: () => {} },
    });
    const loop = new L2Forward(near, turned);
    send(far, numbered(1), numbered(2));
    assert.equal(loop.copies, false);
    assert.equal(loop.poll(64), 2);
    assert.deepEqual(sent, [1, 1]);
    assert.deepEqual(receive(far), [swapped(numbered(1)), swapped(numbered(2))]);
    assertReturned(far);
  });

  it('drops and counts frames for which there is no room to transmit', () => {
    const { far, near } = wire(8);
    const loop = new L2Forward(near);
    for (let round = 0; round < 2; round++) {
      send(far, ...Array.from({ length: 6 }, (_, i) => numbered(i)));
      assert.equal(loop.poll(64), 6);
    }
    assert.deepEqual(loop.drops(), { txFull: 4 });
    assert.equal(receive(far).length, 8);
    assertReturned(far);
  });

  it('copies no frame that a chunk of the other port has no room for', () => {
    const one = wire();
    const two = wire();
    const burst = new Burst(2);
    one.far.alloc(burst, 2);
    burst.len.set([two.near.maxPieceLen, two.near.maxPieceLen + 1]);
    one.far.tx(burst);
    const loop = new L2Forward(one.near, withMtu(two.near, 9000));
    assert.equal(loop.poll(64), 2);
    assert.equal(loop.drops().badLength, 1);
    assert.deepEqual(
      receive(two.far).map(({ length }) => length),
      [1792],
    );
    assertReturned(one.far, two.far);
  });

  it('counts frames that go on without the VLAN tag that the NIC took off', () => {
    const { far, near } = wire();
    const loop = new L2Forward(near);
    assert.equal(loop.untagged, 0);
    const burst = new Burst(5);
    far.alloc(burst, 5);
    burst.len.fill(60);
    const { vlan, continues, checksumVerified } = FrameFlags;
    burst.flags.set([vlan, checksumVerified, vlan | continues, vlan, vlan | checksumVerified]);
    far.tx(burst);
    assert.equal(loop.poll(64), 5);
    assert.equal(loop.untagged, 3);
    assert.deepEqual(loop.drops(), { txFull: 0 });
    assert.equal(receive(far).length, 5);
    assertReturned(far);
  });

  it('sends no frame on that no port takes, and counts it', () => {
    const { far, near } = wire();
    const sent: number[] = [];
    const { tx } = near;
    // As ports do that check what they are given; a memif peer may have said such lengths.
    near.tx = (burst): number => {
      if (burst.len.subarray(0, burst.count).includes(0)) throw new RangeError('Cannot send an empty frame');
      sent.push(...burst.len.subarray(0, burst.count));
      return tx.call(near, burst);
    };
    const loop = new L2Forward(near);
    const burst = new Burst(8);
    far.alloc(burst, 8);
    burst.len.set([0, 60, 13, 14, 60, 1, 60, 0]);
    const { continues } = FrameFlags;
    burst.flags.set([0, 0, 0, 0, continues, 0, continues, 0]);
    far.tx(burst);
    assert.equal(loop.poll(64), 8);
    assert.deepEqual(sent, [60, 14, 60, 1]);
    assert.deepEqual(loop.drops(), { txFull: 0, badLength: 3 });
    receive(far);
    assertReturned(far);
  });

  it('drops and counts what cannot be copied', () => {
    const one = wire();
    const two = wire();
    const loop = new L2Forward(one.near, two.near, { swapMacs: false });
    const burst = new Burst(8);
    one.far.alloc(burst, 5);
    burst.len.set([60, 13, 1519, 60, 60]);
    burst.flags.set([0, 0, 0, FrameFlags.continues, 0]);
    one.far.tx(burst);
    assert.equal(loop.poll(64), 5);
    assert.deepEqual(loop.drops(), { txFull: 0, noChunk: 0, badLength: 2, chained: 1 });
    assert.equal(receive(two.far).length, 1);
    const held = new Burst(CHUNKS);
    two.near.alloc(held, CHUNKS - 1);
    send(one.far, numbered(1), numbered(2));
    loop.poll(64);
    assert.equal(loop.drops().noChunk, 1);
    two.near.recycle(held);
    receive(two.far);
    assertReturned(one.far, two.far);
  });
});

describe('UdpEcho', () => {
  it('answers datagrams and drops the rest by reason', () => {
    const { far, near } = wire();
    const loop = new UdpEcho(near);
    const broken = udpFrame(far.mac, near.mac, 30, 9);
    broken[50]! ^= 1;
    send(far, udpFrame(far.mac, near.mac, 30, 1), broken, numbered(0), udpFrame(far.mac, near.mac, 25, 2));
    assert.equal(loop.poll(64), 4);
    const answers = receive(far);
    assert.deepEqual(
      answers.map((frame) => frame.subarray(0, 12)),
      [30, 25].map((len, i) => answerOf(far, near, len, i + 1).subarray(0, 12)),
    );
    for (const [i, answer] of answers.entries()) {
      const view = new DataView(answer.buffer);
      assert.deepEqual([view.getUint16(34), view.getUint16(36)], [TEST_UDP_PORT, 40_000]);
      assert.deepEqual([view.getUint32(26), view.getUint32(30)], [0x0a090002, 0x0a090001]);
      assert.equal(view.getUint32(42), i + 1);
    }
    assert.equal(
      Object.values(loop.drops()).reduce((sum, count) => sum + count),
      2,
    );
    assert.equal(loop.drops().udpBadChecksum, 1);
    assertReturned(far);
  });

  it('finishes the checksum of an answer to a datagram whose own was left to a NIC', () => {
    const { far, near } = wire();
    const frame = udpFrame(far.mac, near.mac, 31, 7);
    const view = new DataView(frame.buffer);
    // The sum of the pseudo header: addresses, protocol and length.
    const halves = [26, 28, 30, 32, 38].map((at) => view.getUint16(at));
    const sum = halves.reduce((total, half) => total + half, 17);
    view.setUint16(40, (sum & 0xffff) + (sum >>> 16));
    const burst = new Burst(1);
    far.alloc(burst, 1);
    far.regions[burst.region[0]!]!.bytes.set(frame, burst.addr[0]!);
    burst.len[0] = frame.length;
    burst.flags[0] = FrameFlags.checksumPartial | FrameFlags.checksumVerified;
    far.tx(burst);
    new UdpEcho(near).poll(64);
    const [answer] = receive(far);
    const answerView = new DataView(answer!.buffer, answer!.byteOffset);
    assert.equal(parseUdpFrame(answerView, 0, answer!.length, new UdpFrame()), 0);
    assertReturned(far);
  });

  it('counts answers without the VLAN tag that the NIC took off', () => {
    const { far, near } = wire();
    const loop = new UdpEcho(near);
    const frames = [udpFrame(far.mac, near.mac, 30, 1), udpFrame(far.mac, near.mac, 30, 2), numbered(0)];
    const burst = new Burst(3);
    far.alloc(burst, 3);
    for (const [i, frame] of frames.entries()) {
      far.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
      burst.len[i] = frame.length;
    }
    // The last one is not answered.
    burst.flags.set([FrameFlags.vlan, 0, FrameFlags.vlan]);
    far.tx(burst);
    assert.equal(loop.poll(64), 3);
    assert.equal(loop.untagged, 1);
    assert.equal(receive(far).length, 2);
    assertReturned(far);
  });

  it('counts a frame over several chunks once', () => {
    const { far, near } = wire();
    const burst = new Burst(4);
    far.alloc(burst, 3);
    burst.len.fill(60);
    burst.flags.set([FrameFlags.continues, FrameFlags.continues, 0]);
    far.tx(burst);
    const loop = new UdpEcho(near);
    assert.equal(loop.poll(64), 3);
    assert.deepEqual(loop.drops(), { chained: 1 });
    assertReturned(far);
  });
});

describe('every loop', () => {
  const loops: Readonly<Record<string, (port: Port, burst: number) => PortLoop>> = {
    rxdrop: (port, burst) => new RxDrop(port, { burst }),
    l2fwd: (port, burst) => new L2Forward(port, port, { burst }),
    echo: (port, burst) => new UdpEcho(port, { burst }),
  };

  it('accounts for every frame: received is sent, dropped or forgotten', () => {
    const steps = fc.array(
      fc.record({ frames: fc.nat(12), poll: fc.nat(3), take: fc.boolean(), bad: fc.nat(3) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(loops)),
        fc.integer({ min: 1, max: 16 }),
        steps,
        (name, burst, script) => {
          const { far, near } = wire(16);
          const loop = loops[name]!(near, burst);
          for (const { frames, poll, take, bad } of script) {
            const out = new Burst(12);
            far.alloc(out, frames);
            for (let i = 0; i < out.count; i++) {
              const frame = udpFrame(far.mac, near.mac, 20 + i, i);
              if (i < bad) frame[45]! ^= 4;
              far.regions[out.region[i]!]!.bytes.set(frame, out.addr[i]!);
              out.len[i] = frame.length;
            }
            out.dropPrefix(far.tx(out));
            far.recycle(out);
            for (let i = 0; i < poll; i++) loop.poll(64);
            if (take) receive(far);
          }
          const { rxFrames, txFrames } = near.statistics();
          const dropped = Object.values(loop.drops()).reduce((sum, count) => sum + count, 0);
          assert.equal(name === 'rxdrop' ? rxFrames : txFrames + dropped, rxFrames);
          while (loop.poll(64) > 0) receive(far);
          receive(far);
          assertReturned(far);
        },
      ),
    );
  });
});
