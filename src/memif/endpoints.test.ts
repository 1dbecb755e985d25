import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSealedMemfd, EventFd, leakedFds, PollSet } from '../sys/index.ts';
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
