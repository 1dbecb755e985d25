import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner } from '../core/index.ts';
import { MemifClient, MemifCounter, PacketMemory } from '../memif/index.ts';
import { MemifPort, type MemifPortSpec } from './memifPort.ts';
import { openPort } from './openPort.ts';
import { watchPort } from './watchPort.ts';

let sockets = 0;

/** A socket that no other test has. */
function freshPath(): string {
  return `@barewire-memif-port-${process.pid}-${sockets++}`;
}

/** Polls both ends until they are connected. */
function connect(...ports: readonly MemifPort[]): void {
  const burst = new Burst(1);
  // A client that was refused tries again ten times a second.
  for (const ended = performance.now() + 3000; performance.now() < ended; ) {
    for (const port of ports) port.rx(burst);
    if (ports.every((port) => port.interface.connected)) return;
  }
  assert.fail(`not connected: ${ports.map(({ report }) => report.mode).join('; ')}`);
}

function pair(spec: Partial<MemifPortSpec> = {}): { server: MemifPort; client: MemifPort } {
  const path = freshPath();
  const server = new MemifPort({ ...spec, path, role: 'server' });
  const client = new MemifPort({ ...spec, path, role: 'client' });
  connect(server, client);
  return { server, client };
}

for (const role of ['client', 'server'] as const) {
  portContract({
    name: `memif: as ${role}`,
    open: () => {
      const { server, client } = pair({ debug: true, ringSize: 256 });
      return {
        a: role === 'client' ? client : server,
        b: role === 'client' ? server : client,
        assertAllReturned: () => {
          for (const { interface: opened } of [server, client]) {
            opened.memory.pool.ledger!.assertNone(ChunkOwner.application);
          }
        },
        close: () => {
          client.close();
          server.close();
        },
      };
    },
  });
}

/** Sends `count` frames of 60 bytes that count up from `first` in their first word. @returns frames accepted */
function send(port: MemifPort, count: number, first = 0): number {
  const burst = new Burst(count);
  assert.equal(port.alloc(burst, count), count);
  for (let i = 0; i < count; i++) {
    burst.len[i] = 60;
    port.regions[0]!.view.setUint32(burst.addr[i]!, first + i);
  }
  const accepted = port.tx(burst);
  burst.dropPrefix(accepted);
  port.flush();
  port.recycle(burst);
  return accepted;
}

/** Takes what is there to take. @returns the first words */
function take(port: MemifPort): number[] {
  const words: number[] = [];
  const burst = new Burst(16);
  while (port.rx(burst) > 0) {
    for (let i = 0; i < burst.count; i++) words.push(port.regions[0]!.view.getUint32(burst.addr[i]!));
    port.recycle(burst);
  }
  return words;
}

/** Polls a port until it has lost its peer. */
function lose(port: MemifPort): number[] {
  const words: number[] = [];
  for (let i = 0; i < 1_000_000 && port.interface.queueCount > 0; i++) words.push(...take(port));
  assert.equal(port.interface.connected, false);
  assert.equal(port.interface.queueCount, 0, port.report.mode);
  return words;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('MemifPort', () => {
  it('takes nothing to send while there is no peer, and says who is missing', () => {
    using port = new MemifPort({ path: freshPath() });
    const burst = new Burst(4);
    assert.equal(port.alloc(burst, 2), 2);
    burst.len.fill(60);
    assert.equal(port.tx(burst), 0);
    assert.equal(port.statistics().txRefused, 2);
    assert.match(port.report.mode, /^client, connecting to @.*: ECONNREFUSED$/);
    assert.equal(port.connected, false);
    port.recycle(burst);
  });

  it('refuses what cannot be opened', () => {
    assert.throws(() => openPort('memif:'), /name a socket/);
    assert.throws(() => openPort('memif:@x?role=master'), /role must be client or server/);
    assert.throws(() => openPort('memif:@x?mode=999'), /mode must be octal/);
    for (const ring of [1000, 1, 32_768]) {
      assert.throws(() => openPort(`memif:@x?ring=${ring}`), /ringSize must be a power of two/);
    }
    assert.throws(() => openPort('memif:@x?chunk=100'), /chunkLen must be a power of two/);
    assert.throws(() => openPort('memif:@x?mtu=10'), /mtu must be 68/);
    assert.throws(() => openPort('memif:@x?secretFile=/nonexistent'), /Cannot open memif:@x.*secret.*ENOENT/);
  });

  for (const gone of ['client', 'server'] as const) {
    it(`receives what a ${gone} had sent before it closed, and meets the next one`, () => {
      const path = freshPath();
      const stays = gone === 'client' ? 'server' : 'client';
      using port = new MemifPort({ path, role: stays, ringSize: 64, debug: true });
      for (let round = 0; round < 5; round++) {
        const peer = new MemifPort({ path, role: gone, ringSize: 64, debug: true });
        connect(port, peer);
        assert.equal(send(peer, 50), 50);
        assert.equal(send(port, 10), 10);
        peer.close();
        assert.deepEqual(lose(port), upTo(50));
      }
      assert.equal(port.interface.statistics().connects, 5);
      // What a client put on a ring that nobody reads any more is lost, and counted; a server's was copied.
      assert.equal(port.statistics().drops.unsent, stays === 'client' ? 50 : 0);
      const { pool } = port.interface.memory;
      assert.equal(pool.free, pool.count);
    });
  }

  it('lets go of a peer that is gone while it sleeps, however often it wakes', () => {
    for (const gone of ['client', 'server'] as const) {
      const ends = pair({ ringSize: 64, debug: true });
      const stays = gone === 'client' ? ends.server : ends.client;
      using _ = stays;
      assert.equal(send(ends[gone], 5), 5);
      ends[gone].close();
      const words: number[] = [];
      for (let i = 0; i < 300; i++) {
        stays.arm();
        words.push(...take(stays));
      }
      assert.deepEqual(words, upTo(5));
      assert.equal(stays.interface.queueCount, 0);
    }
  });

  it('goes on when the other port of its memory is closed first', () => {
    using memory = new PacketMemory({ chunkCount: 1024, debug: true });
    const [left, right] = [freshPath(), freshPath()];
    using a = new MemifPort({ path: left, role: 'server', ringSize: 64 });
    using b = new MemifPort({ path: right, role: 'server', ringSize: 64 });
    const first = new MemifPort({ path: left, ringSize: 64, memory });
    using second = new MemifPort({ path: right, ringSize: 64, memory });
    connect(a, b, first, second);
    assert.equal(send(a, 8), 8);
    const held = new Burst(8);
    assert.equal(first.rx(held), 8);
    assert.equal(send(first, 8), 8);
    first.close();
    assert.equal(second.tx(held), 8, 'what was received by one is sent by the other');
    held.clear();
    assert.deepEqual(take(b), upTo(8));
    assert.equal(send(b, 8, 20), 8);
    assert.equal(take(second).length, 8);
    second.close();
    assert.equal(memory.pool.free, memory.pool.count);
  });

  it('notices that its peer is gone when it only sends', () => {
    const { server, client } = pair({ ringSize: 64 });
    using _ = client;
    assert.equal(send(client, 64), 64);
    server.close();
    for (let i = 0; i < 1_000_000 && client.interface.connected; i++) assert.equal(send(client, 1), 0);
    assert.equal(client.interface.connected, false);
  });

  it('passes frames on several queues, as many as both sides have', () => {
    const path = freshPath();
    using server = new MemifPort({ path, role: 'server', queues: 3, debug: true });
    using client = new MemifPort({ path, role: 'client', queues: 4, debug: true });
    connect(server, client);
    assert.equal(server.interface.queueCount, 3);
    assert.equal(client.interface.queueCount, 3);
    for (let round = 0; round < 100; round++) {
      assert.equal(send(client, 20), 20);
      assert.deepEqual(take(server), upTo(20));
      assert.equal(send(server, 20), 20);
      assert.deepEqual(take(client), upTo(20));
    }
  });

  it('moves frames between two clients on one memory without a copy', () => {
    using memory = new PacketMemory({ chunkCount: 1024, debug: true });
    const [left, right] = [freshPath(), freshPath()];
    using a = new MemifPort({ path: left, role: 'server', ringSize: 64 });
    using b = new MemifPort({ path: right, role: 'server', ringSize: 64 });
    using from = new MemifPort({ path: left, ringSize: 64, memory });
    using to = new MemifPort({ path: right, ringSize: 64, memory });
    connect(a, b, from, to);
    assert.equal(from.regions[0]!.bytes.buffer, to.regions[0]!.bytes.buffer);
    const burst = new Burst(16);
    for (let round = 0; round < 100; round++) {
      assert.equal(send(a, 20, round), 20);
      while (from.rx(burst) > 0) {
        const accepted = to.tx(burst);
        assert.equal(accepted, burst.count);
        burst.clear();
        to.flush();
      }
      assert.deepEqual(
        take(b),
        upTo(20).map((i) => round + i),
      );
    }
  });

  it('ends the connection of a peer that lies, for a reason, and serves the next', () => {
    const path = freshPath();
    using server = new MemifPort({ path, role: 'server', debug: true });
    using memory = new PacketMemory({ chunkCount: 1 });
    const liar = new MemifClient({ path, packetMemory: memory });
    for (let i = 0; i < 100_000 && !(liar.connection && server.interface.connected); i++) {
      liar.poll();
      take(server);
    }
    const { regions, toServer } = liar.connection!;
    new DataView(regions[0]!).setUint16(toServer[0]!.offset + 6, 5000, true);
    assert.deepEqual(take(server), []);
    assert.equal(server.interface.connected, false);
    assert.deepEqual(server.interface.statistics().disconnects, { 'wrong cursor': 1 });
    liar.close();
    using client = new MemifPort({ path });
    connect(server, client);
    assert.equal(send(client, 3), 3);
    assert.deepEqual(take(server), upTo(3));
  });

  for (const role of ['client', 'server'] as const) {
    it(`wakes a ${role} that sleeps, and sends no signal to one that polls`, async () => {
      const { server, client } = pair();
      const [sleeper, other] = role === 'client' ? [client, server] : [server, client];
      send(other, 4);
      assert.equal(other.interface.counters[MemifCounter.signals], 0);
      take(sleeper);
      using watch = watchPort(sleeper);
      const got: number[] = [];
      setTimeout(() => send(other, 4, 10), 30);
      setTimeout(() => send(other, 4, 20), 60);
      for await (const burst of watch) {
        for (let i = 0; i < burst.count; i++) got.push(sleeper.regions[0]!.view.getUint32(burst.addr[i]!));
        if (got.length === 8) break;
      }
      assert.deepEqual(got, [10, 11, 12, 13, 20, 21, 22, 23]);
      assert.equal(other.interface.counters[MemifCounter.signals], 2);
      other.close();
    });
  }

  for (const role of ['client', 'server'] as const) {
    it(`loses no frame of a peer that has gone, however slowly it takes them, as a ${role}`, () => {
      const { server, client } = pair({ ringSize: 256 });
      const [stays, goes] = role === 'client' ? [client, server] : [server, client];
      assert.equal(send(goes, 200), 200);
      goes.close();
      const burst = new Burst(1);
      const words: number[] = [];
      for (let i = 0; i < 300; i++) {
        assert.equal(stays.arm(), words.length === 200);
        if (stays.rx(burst) > 0) words.push(stays.regions[0]!.view.getUint32(burst.addr[0]!));
        stays.recycle(burst);
      }
      assert.deepEqual(words, upTo(200));
      assert.equal(stays.interface.queueCount, 0);
      stays.close();
    });
  }

  it('can be opened and closed a thousand times, and leaves nothing behind', () => {
    const open = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 1000; i++) {
      const { server, client } = pair({ ringSize: 16, chunkCount: 64 });
      send(client, 8);
      client.close();
      server.close();
    }
    assert.equal(readdirSync('/proc/self/fd').length, open);
  });
});
