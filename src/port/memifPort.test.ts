import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner } from '../core/index.ts';
import { MemifPort, type MemifPortSpec } from './memifPort.ts';
import { openPort } from './openPort.ts';

let sockets = 0;

/** A socket that no other test has. */
function freshPath(): string {
  return `@barewire-memif-port-${process.pid}-${sockets++}`;
}

/** Polls both ends until they are connected. */
function connect(...ports: readonly MemifPort[]): void {
  const burst = new Burst(1);
  for (let i = 0; i < 100_000; i++) {
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

describe('MemifPort', () => {
  it('takes nothing to send while there is no peer, and says who is missing', () => {
    using port = new MemifPort({ path: freshPath() });
    const burst = new Burst(4);
    assert.equal(port.alloc(burst, 2), 2);
    burst.len.fill(60);
    assert.equal(port.tx(burst), 0);
    assert.equal(port.statistics().txRefused, 2);
    assert.match(port.report.reasons[0]!, /No peer yet: connecting to @.*ECONNREFUSED/);
    port.recycle(burst);
  });

  it('refuses what cannot be opened', () => {
    assert.throws(() => openPort('memif:'), /name a socket/);
    assert.throws(() => openPort('memif:@x?role=master'), /role must be client or server/);
    assert.throws(() => openPort('memif:@x?mode=999'), /mode must be octal/);
    assert.throws(() => openPort('memif:@x?ring=1000'), /ringSize must be a power of two/);
    assert.throws(() => openPort('memif:@x?chunk=100'), /chunkLen must be a power of two/);
    assert.throws(() => openPort('memif:@x?mtu=10'), /mtu must be 68/);
    assert.throws(() => openPort('memif:@x?secretFile=/nonexistent'), /ENOENT/);
  });
});
