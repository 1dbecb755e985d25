import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSealedMemfd, EventFd, leakedFds, PollSet, UnixListener, UnixSocket } from '../sys/index.ts';
import { MemifClient, type MemifClientSpec } from './client.ts';
import type { MemifEndpoint } from './connection.ts';
import { MemifServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'memif-'));
const packets = { fd: createSealedMemfd('packets', 65_536), len: 65_536 };

after(() => {
  packets.fd.close();
  rmSync(folder, { recursive: true });
  assert.deepEqual(
    leakedFds().map(({ what }) => what),
    [],
  );
});

let paths = 0;
const nextPath = (): string => join(folder, `${paths++}`);
const client = (spec: Omit<MemifClientSpec, 'packetMemory'>): MemifClient =>
  new MemifClient({ packetMemory: packets, ...spec });

/** Polls endpoints, sleeping on their descriptors, until `done`. Returns who told of changes, in order. */
function drive(endpoints: readonly MemifEndpoint[], done: () => boolean, withinMs = 2000): MemifEndpoint[] {
  const changed: MemifEndpoint[] = [];
  const set = new PollSet(endpoints.map(({ fd }) => fd));
  const end = performance.now() + withinMs;
  while (!done()) {
    assert.ok(performance.now() < end, endpoints.map(({ state }) => state).join('; '));
    set.wait(50);
    for (const endpoint of endpoints) if (endpoint.poll()) changed.push(endpoint);
  }
  return changed;
}

/** Drives both until they are connected. */
function connect(a: MemifEndpoint, b: MemifEndpoint): void {
  drive([a, b], () => a.connection !== undefined && b.connection !== undefined);
}

/** Writes an eventfd. */
const signal = (fd: number): void => EventFd.borrow(fd).signal();
const openCount = (): number => readdirSync('/proc/self/fd').length;

test('a client and a server see the same rings, in both directions', () => {
  const path = nextPath();
  using server = new MemifServer({ path, name: 'west' });
  using east = client({ path, name: 'east', queues: 2, log2RingSize: 4 });
  const changed = drive([server, east], () => !!server.connection && !!east.connection);
  assert.deepEqual(new Set(changed), new Set([server, east]));
  const ours = east.connection!;
  const theirs = server.connection!;
  assert.equal(theirs.remoteInterface, 'east');
  assert.equal(ours.remoteInterface, 'west');
  assert.deepEqual(
    theirs.regions.map((region) => region.byteLength),
    [4 * (128 + 16 * 16), 65_536],
  );
  for (const direction of ['toServer', 'toClient'] as const) {
    assert.equal(theirs[direction].length, 2);
    for (const [i, ring] of theirs[direction].entries()) {
      const { interrupt, ...place } = ring;
      const { interrupt: _, ...same } = ours[direction][i]!;
      assert.deepEqual(place, same);
      new DataView(ours.regions[0]!).setUint16(ring.offset + 6, 77 + i, true);
      assert.equal(new DataView(theirs.regions[0]!).getUint16(ring.offset + 6, true), 77 + i);
      assert.ok(interrupt > 2);
    }
  }
  assert.match(server.state, /^connected to barewire \(pid \d+, uid \d+\)$/);
});

test('an interrupt of the peer makes the descriptor of the endpoint readable once', () => {
  const path = nextPath();
  using server = new MemifServer({ path });
  using east = client({ path });
  connect(server, east);
  const ours = east.connection!.toClient[0]!.interrupt;
  east.watch(ours);
  const set = new PollSet([east.fd]);
  assert.equal(set.wait(0), 0);
  signal(server.connection!.toClient[0]!.interrupt);
  assert.equal(set.wait(1000), 1);
  assert.equal(east.poll(), false);
  assert.equal(set.wait(0), 0, 'nobody has read the eventfd');
  signal(server.connection!.toClient[0]!.interrupt);
  assert.equal(set.wait(1000), 1);
  east.poll();
  east.unwatch(ours);
  signal(server.connection!.toClient[0]!.interrupt);
  assert.equal(set.wait(0), 0);
});

test('both endpoints find each other again after either has closed', () => {
  const path = nextPath();
  let server = new MemifServer({ path });
  let east = client({ path });
  for (let i = 0; i < 2; i++) {
    connect(server, east);
    const { regions } = server.connection!;
    east.close();
    drive([server], () => server.connection === undefined);
    assert.equal(regions[0]!.detached, false, 'the data path has yet to let go');
    server.poll();
    assert.equal(regions[0]!.detached, true);
    assert.equal(server.state, `listening on ${path}`);

    east = client({ path });
    connect(server, east);
    const rings = east.connection!.regions[0]!;
    server.close();
    drive([east], () => east.connection === undefined);
    assert.equal(rings.detached, false);
    drive([east], () => /ENOENT/.test(east.state));
    assert.equal(rings.detached, true);
    server = new MemifServer({ path });
  }
  connect(server, east);
  assert.deepEqual(east.statistics(), { connects: 2, disconnects: { 'peer: closed': 1 }, refusals: {} });
  east.close();
  server.close();
  assert.equal(server.state, 'closed');
  assert.equal(server.poll(), false);
});

test('disconnect() tells the peer why, and another connection follows', () => {
  const path = nextPath();
  using server = new MemifServer({ path });
  using east = client({ path });
  connect(server, east);
  const { regions } = server.connection!;
  server.disconnect('wrong cursor');
  assert.equal(server.connection, undefined);
  assert.equal(regions[0]!.detached, false);
  drive([east], () => east.connection === undefined);
  assert.deepEqual(east.statistics().disconnects, { 'peer: wrong cursor': 1 });
  connect(server, east);
  assert.equal(regions[0]!.detached, true);
  assert.deepEqual(server.statistics().disconnects, { 'wrong cursor': 1 });
});

test('a client waits for its server, in the abstract namespace too', () => {
  for (const path of [nextPath(), `@barewire-test-${process.pid}`]) {
    using east = client({ path });
    assert.match(east.state, /^connecting to .*: (ENOENT|ECONNREFUSED)$/);
    using server = new MemifServer({ path });
    connect(server, east);
  }
});

test('a second client is told that there is one, and gets its turn', () => {
  const path = nextPath();
  using server = new MemifServer({ path });
  const first = client({ path });
  connect(server, first);
  using second = client({ path });
  drive([server, second], () => /peer: already connected/.test(second.state));
  assert.ok(first.connection);
  first.close();
  connect(server, second);
});

test('a wrong secret or id is refused by its name', () => {
  const path = nextPath();
  using server = new MemifServer({ path, secret: 'open', id: 3 });
  for (const [spec, reason] of [
    [{ id: 3 }, 'wrong secret'],
    [{ id: 3, secret: 'nope' }, 'wrong secret'],
    [{ id: 4, secret: 'open' }, 'unknown id'],
  ] as const) {
    using east = client({ path, ...spec });
    drive([server, east], () => east.state.endsWith(`peer: ${reason}`));
  }
  using east = client({ path, id: 3, secret: 'open' });
  connect(server, east);
  assert.deepEqual(server.statistics().refusals, { 'wrong secret': 2, 'unknown id': 1 });
});

test('a peer that is silent loses its place', () => {
  const path = nextPath();
  using server = new MemifServer({ path, handshakeTimeoutNs: 50e6 });
  using _silent = UnixSocket.connect(path) as UnixSocket;
  const before = openCount();
  drive([server], () => server.statistics().refusals['the peer is silent'] === 1);
  assert.equal(openCount(), before, 'its socket was accepted and closed');
  using listener = new UnixListener({ path: nextPath() });
  using east = client({ path: listener.path, handshakeTimeoutNs: 50e6 });
  using _accepted = listener.accept();
  assert.match(east.state, /waiting for an answer$/);
  drive([east], () => east.statistics().refusals['the peer is silent'] === 1);
});

test('more handshakes than are let in at once push out the oldest', () => {
  const path = nextPath();
  using server = new MemifServer({ path });
  const sockets: UnixSocket[] = [];
  for (let i = 0; i < 20; i++) {
    sockets.push(UnixSocket.connect(path) as UnixSocket);
    server.poll();
  }
  assert.deepEqual(server.statistics().refusals, { 'too many handshakes': 4 });
  using east = client({ path });
  connect(server, east);
  for (const socket of sockets) socket.close();
});

test('the socket file has the mode asked for, and goes with its server', () => {
  const path = nextPath();
  const server = new MemifServer({ path, mode: 0o666 });
  assert.equal(statSync(path).mode & 0o777, 0o666);
  server.close();
  assert.equal(existsSync(path), false);
});

test('endpoints refuse bad options and leave nothing open', () => {
  const path = nextPath();
  using _server = new MemifServer({ path });
  const before = openCount();
  assert.throws(() => new MemifServer({ path }), { code: 'EADDRINUSE' });
  for (const spec of [{ maxQueues: 0 }, { maxRegions: 257 }, { mode: 0o1000 }, { secret: '' }, { id: -1 }]) {
    assert.throws(() => new MemifServer({ path: nextPath(), ...spec }), RangeError);
  }
  for (const spec of [
    { queues: 0 },
    { log2RingSize: 15 },
    { name: 'x'.repeat(32) },
    { path: 'x'.repeat(108) },
  ]) {
    assert.throws(() => client({ path, ...spec }), RangeError);
  }
  assert.equal(openCount(), before);
});

test('a thousand connections leave nothing open', () => {
  const path = nextPath();
  using server = new MemifServer({ path });
  client({ path }).close();
  drive([server], () => Object.keys(server.statistics().refusals).length === 1);
  const before = openCount();
  for (let i = 0; i < 1000; i++) {
    using east = client({ path, log2RingSize: 4 });
    // Whoever comes too early for the end of its forerunner is refused, and would come again in 100 ms.
    while (server.connection) server.poll();
    while (!server.connection || !east.connection) {
      server.poll();
      east.poll();
    }
  }
  drive([server], () => server.connection === undefined);
  server.poll();
  assert.equal(openCount(), before);
  assert.equal(server.statistics().connects, 1000);
});
