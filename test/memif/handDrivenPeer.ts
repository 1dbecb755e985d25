import assert from 'node:assert/strict';
import { Burst } from '../../src/core/index.ts';
import {
  MemifClient,
  type MemifConnection,
  type MemifEndpoint,
  MemifServer,
  PacketMemory,
} from '../../src/memif/index.ts';
import type { MemifPort } from '../../src/port/index.ts';

/** Packet memory of a {@link HandDrivenPeer} that is a client: its region 1. [chunks of 2048 bytes] */
export const PEER_CHUNKS = 64;

const CONNECT_MS = 3000;

/** A peer that shakes hands as it should, and leaves what becomes of the rings to whoever holds it. */
export class HandDrivenPeer implements Disposable {
  readonly endpoint: MemifEndpoint;
  readonly connection: MemifConnection;
  readonly #memory: PacketMemory | undefined;

  /** Connects to `port`, which has the other role. */
  constructor(port: MemifPort, path: string, log2RingSize = 6) {
    const isClient = port.interface.role === 'server';
    this.#memory = isClient ? new PacketMemory({ chunkCount: PEER_CHUNKS }) : undefined;
    this.endpoint = this.#memory
      ? new MemifClient({ path, packetMemory: this.#memory, log2RingSize })
      : new MemifServer({ path, handshakeTimeoutNs: 1e9 });
    const burst = new Burst(1);
    const ended = performance.now() + CONNECT_MS;
    while (!(this.endpoint.connection && port.interface.connected)) {
      this.endpoint.poll();
      port.rx(burst);
      port.recycle(burst);
      assert.ok(performance.now() < ended, `${this.endpoint.state}; ${port.report.mode}`);
    }
    this.connection = this.endpoint.connection;
  }

  close(): void {
    this.endpoint.close();
    this.#memory?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
