import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Burst, FrameFlags } from '../core/index.ts';
import { MemifCounter } from './counters.ts';
import { MemifLie } from './lies.ts';
import type { PacketMemory } from './packetMemory.ts';
import { QueueRig } from './queueRig.case.ts';
import { RING_HEADER_LEN, ringLen } from './ring.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;

/** Appends a frame of `lens.length` pieces, filled with `mark`. @returns false when there was no chunk for it */
function write(memory: PacketMemory, burst: Burst, lens: readonly number[], mark: number): boolean {
  if (memory.pool.free < lens.length) return false;
  for (const [i, len] of lens.entries()) {
    const addr = memory.pool.take();
    memory.bytes.fill(mark, addr, addr + len);
    const at = burst.count++;
    burst.addr[at] = addr;
    burst.len[at] = len;
    burst.region[at] = 0;
    burst.flags[at] = i < lens.length - 1 ? FrameFlags.continues : 0;
  }
  return true;
}

/** The frames of a burst as [length, first byte], joined over their pieces; fails when a frame is of several marks. */
function frames(memory: PacketMemory, burst: Burst): [number, number][] {
  const found: [number, number][] = [];
  let len = 0;
  let mark: number | undefined;
  for (let i = 0; i < burst.count; i++) {
    const piece = memory.bytes.subarray(burst.addr[i]!, burst.addr[i]! + burst.len[i]!);
    mark ??= piece[0]!;
    assert.ok(piece.every((byte) => byte === mark));
    len += piece.length;
    if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
    found.push([len, mark]);
    len = 0;
    mark = undefined;
  }
  assert.equal(len, 0, 'the last frame has an end');
  return found;
}

function putAll(memory: PacketMemory, burst: Burst): void {
  memory.pool.putFrom(burst.addr, 0, burst.count);
  burst.count = 0;
}

describe('memif queues', () => {
  it('carry frames from client to server, and give the chunks back', () => {
    using rig = new QueueRig();
    const burst = new Burst(8);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 5; i++) write(rig.clientMemory, burst, [60 + i], i + 1);
      assert.equal(rig.client.tx(burst), 5);
      burst.count = 0;
      assert.equal(rig.server.rx(burst), 5);
      assert.deepEqual(
        frames(rig.serverMemory, burst),
        [1, 2, 3, 4, 5].map((mark) => [59 + mark, mark]),
      );
      putAll(rig.serverMemory, burst);
    }
    assert.equal(rig.clientCounters[MemifCounter.txFrames], 100);
    assert.equal(rig.serverCounters[MemifCounter.rxBytes], 20 * (60 + 61 + 62 + 63 + 64));
  });

  it('carry frames from server to client in chunks that the client has lent', () => {
    using rig = new QueueRig();
    const burst = new Burst(16);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 16; i++) write(rig.serverMemory, burst, [60], i + 1);
      assert.equal(rig.server.tx(burst), 16);
      burst.count = 0;
      assert.equal(rig.client.rx(burst), 16);
      assert.equal(frames(rig.clientMemory, burst).length, 16);
      const lent = rig.client.lend(burst.addr, 0, burst.count);
      assert.equal(lent, 16);
      burst.count = 0;
    }
    assert.equal(rig.clientCounters[MemifCounter.rxFrames], 320);
  });

  it('take a prefix of whole frames when the ring fills up', () => {
    using rig = new QueueRig({ log2Size: 2 });
    const burst = new Burst(8);
    write(rig.clientMemory, burst, [60], 1);
    write(rig.clientMemory, burst, [60, 60], 2);
    write(rig.clientMemory, burst, [60, 60], 3);
    assert.equal(rig.client.tx(burst), 3);
    burst.dropPrefix(3);
    assert.equal(rig.client.tx(burst), 0, 'one slot is left, and the frame has two pieces');
    const one = new Burst(1);
    assert.equal(rig.server.rx(one), 1);
    putAll(rig.serverMemory, one);
    assert.equal(rig.client.tx(burst), 2);
    burst.count = 0;
    for (let count = 1; count > 0; count = rig.server.rx(burst)) putAll(rig.serverMemory, burst);
  });

  it('drop and count a frame that no burst of the receiver holds', () => {
    using rig = new QueueRig();
    const burst = new Burst(8);
    write(rig.clientMemory, burst, [512, 512, 512], 1);
    write(rig.clientMemory, burst, [60], 2);
    assert.equal(rig.client.tx(burst), 4);
    const small = new Burst(2);
    assert.equal(rig.server.rx(small), 0);
    assert.equal(rig.serverCounters[MemifCounter.tooLong], 1);
    assert.equal(rig.server.rx(small), 1);
    assert.deepEqual(frames(rig.serverMemory, small), [[60, 2]]);
    putAll(rig.serverMemory, small);
  });

  it('drop and count a frame that is longer than all that a client can lend', () => {
    using rig = new QueueRig({ log2Size: 1 });
    const burst = new Burst(8);
    write(rig.serverMemory, burst, [512, 512, 512], 1);
    assert.equal(rig.server.tx(burst), 3);
    assert.equal(rig.serverCounters[MemifCounter.tooLong], 1);
    assert.equal(rig.serverMemory.pool.free, rig.serverMemory.pool.count);
  });

  it('count what the server never took in frames, at the end of a connection', () => {
    using rig = new QueueRig();
    const burst = new Burst(8);
    write(rig.clientMemory, burst, [60], 1);
    write(rig.clientMemory, burst, [512, 512, 60], 2);
    write(rig.clientMemory, burst, [60], 3);
    assert.equal(rig.client.tx(burst), 5);
    const one = new Burst(1);
    assert.equal(rig.server.rx(one), 1);
    putAll(rig.serverMemory, one);
    rig.client.release();
    assert.equal(rig.clientCounters[MemifCounter.unsent], 2);
    assert.equal(rig.clientMemory.pool.free, rig.clientMemory.pool.count);
  });

  for (const log2Size of [1, 14]) {
    it(`go on when cursors pass 65,535, on rings of ${2 ** log2Size}`, () => {
      const size = 2 ** log2Size;
      using rig = new QueueRig({ log2Size, chunkCount: 3 * size + 8, debug: false });
      const burst = new Burst(size);
      const [client, server] = [
        { queue: rig.client, memory: rig.clientMemory },
        { queue: rig.server, memory: rig.serverMemory },
      ];
      let sent = 0;
      for (let passed = 0; passed < 3 * 65_536; ) {
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          burst.count = from.memory.pool.takeInto(burst.addr, 0, size);
          for (let i = 0; i < burst.count; i++) {
            burst.len[i] = 60;
            burst.flags[i] = 0;
            from.memory.view.setUint32(burst.addr[i]!, sent + i);
          }
          const accepted = from.queue.tx(burst);
          assert.equal(accepted, size);
          assert.equal(to.queue.rx(burst), size);
          for (let i = 0; i < size; i++) {
            if (to.memory.view.getUint32(burst.addr[i]!) !== sent + i) assert.fail(`frame ${sent + i}`);
          }
          putAll(to.memory, burst);
          sent += size;
        }
        rig.refill();
        assert.equal(rig.client.reap(), size);
        passed += size;
      }
      rig.client.release();
      assert.equal(rig.clientMemory.pool.free, rig.clientMemory.pool.count);
      assert.equal(rig.serverMemory.pool.free, rig.serverMemory.pool.count);
    });
  }

  it('refuse a frame that leaves its chunk, and accept none of its burst', () => {
    using rig = new QueueRig();
    const { pool } = rig.serverMemory;
    const burst = new Burst(2);
    for (const [queue, memory] of [
      [rig.client, rig.clientMemory],
      [rig.server, rig.serverMemory],
    ] as const) {
      for (const broken of [{ len: 513 }, { len: 0 }, { addr: 2 ** 31 }, { addr: memory.len }]) {
        burst.count = 0;
        write(memory, burst, [60], 1);
        write(memory, burst, [60], 1);
        const { addr, len } = { addr: burst.addr[1]!, len: 60, ...broken };
        const own = burst.addr[1]!;
        burst.addr[1] = addr;
        burst.len[1] = len;
        assert.throws(() => queue.tx(burst), /Cannot send a burst/);
        burst.addr[1] = own;
        putAll(memory, burst);
      }
    }
    assert.equal(rig.server.rx(burst), 0);
    assert.equal(pool.free, pool.count);
  });

  it('lose no chunk and no frame in any order of operations', () => {
    const operation = fc.record({
      who: fc.constantFrom('client', 'server'),
      what: fc.constantFrom('tx', 'rx', 'rx', 'refill', 'reap'),
      lens: fc.array(fc.array(fc.integer({ min: 1, max: 512 }), { minLength: 1, maxLength: 4 }), {
        maxLength: 6,
      }),
      capacity: fc.integer({ min: 4, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        using rig = new QueueRig({ log2Size: 3 });
        const ends = {
          client: {
            queue: rig.client,
            memory: rig.clientMemory,
            sent: [] as [number, number][],
            peer: 'server',
          },
          server: {
            queue: rig.server,
            memory: rig.serverMemory,
            sent: [] as [number, number][],
            peer: 'client',
          },
        } as const;
        let mark = 0;
        for (const { who, what, lens, capacity } of operations) {
          const { queue, memory, sent, peer } = ends[who];
          const burst = new Burst(32);
          if (what === 'tx') {
            for (const pieces of lens) {
              mark = (mark % 255) + 1;
              write(memory, burst, pieces, mark);
            }
            const offered = frames(memory, burst);
            const accepted = queue.tx(burst);
            assert.ok(accepted >= 0);
            let ended = 0;
            for (let i = 0; i < accepted; i++)
              ended += (burst.flags[i]! & FrameFlags.continues) === 0 ? 1 : 0;
            sent.push(...offered.slice(0, ended));
            burst.dropPrefix(accepted);
            putAll(memory, burst);
          } else if (what === 'rx') {
            const received = new Burst(capacity);
            assert.ok(queue.rx(received) >= 0);
            const found = frames(memory, received);
            assert.deepEqual(found, ends[peer].sent.splice(0, found.length));
            putAll(memory, received);
          } else if (what === 'refill') rig.refill();
          else rig.client.reap();
        }
        // What is still on the rings arrives as well.
        rig.refill();
        const rest = new Burst(16);
        while (rig.server.rx(rest) > 0) {
          const found = frames(rig.serverMemory, rest);
          assert.deepEqual(found, ends.client.sent.splice(0, found.length));
          putAll(rig.serverMemory, rest);
        }
        assert.deepEqual(ends.client.sent, []);
        rig.client.release();
        for (const { memory } of Object.values(ends)) assert.equal(memory.pool.free, memory.pool.count);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('memif queues beside a peer that lies', () => {
  const toServer = 0;
  const toClient = ringLen(4);
  const cursors = (rig: QueueRig): DataView => new DataView(rig.rings);

  it('ServerQueue.rx() notices a head further than the ring is long', () => {
    using rig = new QueueRig();
    cursors(rig).setUint16(toServer + 6, 17, true);
    assert.equal(rig.server.rx(new Burst(4)), MemifLie.cursor);
  });

  it('ClientQueue notices tails beyond what it has sent, or lent', () => {
    using rig = new QueueRig();
    cursors(rig).setUint16(toServer + 64, 1, true);
    assert.equal(rig.client.reap(), MemifLie.cursor);
    cursors(rig).setUint16(toClient + 64, 17, true);
    assert.equal(rig.client.rx(new Burst(4)), MemifLie.cursor);
  });

  it('ServerQueue notices buffers outside of the regions, in either direction', () => {
    for (const [region, len, offset] of [
      [2, 60, 0],
      [1, 60, 64 * 512 - 59],
      [1, 0xffff_ffff, 0],
      [1, 60, 0xffff_ffff],
      [0xffff, 1, 1],
    ] as const) {
      using rig = new QueueRig();
      for (const ring of [toServer, toClient]) {
        const view = cursors(rig);
        view.setUint16(ring + RING_HEADER_LEN + 2, region, true);
        view.setUint32(ring + RING_HEADER_LEN + 4, len, true);
        view.setUint32(ring + RING_HEADER_LEN + 8, offset, true);
        view.setUint16(ring + 6, 1, true);
      }
      assert.equal(rig.server.rx(new Burst(4)), MemifLie.bounds);
      const burst = new Burst(1);
      write(rig.serverMemory, burst, [60], 1);
      assert.equal(rig.server.tx(burst), MemifLie.bounds);
      putAll(rig.serverMemory, burst);
    }
  });

  it('ServerQueue.rx() drops and counts a frame of no length, so that nobody has to send it on', () => {
    using rig = new QueueRig();
    const view = cursors(rig);
    for (const [slot, len] of [60, 0, 61].entries()) {
      view.setUint16(toServer + RING_HEADER_LEN + slot * 16 + 2, 1, true);
      view.setUint32(toServer + RING_HEADER_LEN + slot * 16 + 4, len, true);
    }
    view.setUint16(toServer + 6, 3, true);
    const burst = new Burst(4);
    const lens: number[] = [];
    for (let i = 0; i < 3; i++) {
      rig.server.rx(burst);
      lens.push(...burst.len.subarray(0, burst.count));
      putAll(rig.serverMemory, burst);
    }
    assert.deepEqual(lens, [60, 61]);
    assert.equal(rig.serverCounters[MemifCounter.tooLong], 1);
    view.setUint16(toServer + 64, 0, true); // nothing was sent by our own client
    view.setUint16(toServer + 6, 0, true);
  });

  it('ClientQueue.rx() notices a length beyond the chunk, or of nothing, and a chain without an end', () => {
    using rig = new QueueRig();
    const view = cursors(rig);
    view.setUint16(toClient + 64, 1, true);
    for (const len of [513, 0, 0x8000_0000, 0xffff_ffff]) {
      view.setUint32(toClient + RING_HEADER_LEN + 4, len, true);
      assert.equal(rig.client.rx(new Burst(4)), MemifLie.bounds, `${len} bytes`);
    }
    for (let slot = 0; slot < 16; slot++) view.setUint16(toClient + RING_HEADER_LEN + slot * 16, 1, true);
    view.setUint32(toClient + RING_HEADER_LEN + 4, 512, true);
    view.setUint16(toClient + 64, 16, true);
    assert.equal(rig.client.rx(new Burst(4)), MemifLie.chain);
  });

  it('neither throws, nor loses a chunk, nor leaves its memory, whatever a peer writes', () => {
    const scribble = fc.record({
      at: fc.nat(2 * ringLen(4) - 1),
      byte: fc.oneof(fc.nat(0xff), fc.constantFrom(0, 1, 16, 17, 0xff)),
      who: fc.constantFrom('client', 'server'),
      what: fc.constantFrom('rx', 'tx', 'rx', 'refill'),
    });
    fc.assert(
      fc.property(fc.array(scribble, { maxLength: 150 }), (scribbles) => {
        using rig = new QueueRig();
        const bytes = new Uint8Array(rig.rings);
        for (const { at, byte, who, what } of scribbles) {
          bytes[at] = byte;
          const queue = rig[who];
          const memory = who === 'client' ? rig.clientMemory : rig.serverMemory;
          const burst = new Burst(8);
          if (what === 'tx') {
            write(memory, burst, [100, 100], 1);
            write(memory, burst, [512], 2);
            burst.dropPrefix(Math.max(0, queue.tx(burst)));
          } else if (what === 'rx') {
            if (queue.rx(burst) < 0) burst.count = 0;
            for (let i = 0; i < burst.count; i++) {
              assert.ok(burst.len[i]! <= 512 && burst.addr[i]! + burst.len[i]! <= memory.len);
            }
          } else rig.refill();
          putAll(memory, burst);
        }
        rig.client.release();
        for (const memory of [rig.clientMemory, rig.serverMemory]) {
          assert.equal(memory.pool.free, memory.pool.count);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
