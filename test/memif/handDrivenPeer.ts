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

/** Packet memory of a peer that is a client. [chunks of 2048 bytes] */
const PEER_CHUNKS = 64;

const CONNECT_MS = 3000;

/** A peer that shakes hands as it should, and leaves what becomes of the rings to whoever holds it. */
export class HandDrivenPeer implements Disposable {
  readonly endpoint: MemifEndpoint;
  readonly connection: MemifConnection;
  readonly #memory: PacketMemory | undefined;

  /** region 1, which both can write */
  readonly packets: Uint8Array;

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
    this.packets = this.#memory?.bytes ?? new Uint8Array(this.connection.regions[1]!);
  }

  close(): void {
    this.endpoint.close();
    this.#memory?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
