import { ClientQueue } from './clientQueue.ts';
import { MEMIF_COUNTERS } from './counters.ts';
import { PacketMemory } from './packetMemory.ts';
import { MemifRing, ringLen } from './ring.ts';
import { ServerQueue } from './serverQueue.ts';

/** How large, and with the owner of every chunk proven. */
export interface QueueRigSpec {
  readonly log2Size?: number;
  readonly chunkLen?: number;
  readonly chunkCount?: number;
  readonly debug?: boolean;
}

/** Both ends of a pair of rings in plain memory, as a handshake would leave them: for tests. */
export class QueueRig implements Disposable {
  readonly clientMemory: PacketMemory;
  readonly serverMemory: PacketMemory;
  /** the rings: to the server, then to the client */
  readonly rings: ArrayBuffer;
  readonly client: ClientQueue;
  readonly server: ServerQueue;
  readonly clientCounters: Float64Array = new Float64Array(MEMIF_COUNTERS);
  readonly serverCounters: Float64Array = new Float64Array(MEMIF_COUNTERS);
  readonly #log2Size: number;

  constructor({ log2Size = 4, chunkLen = 512, chunkCount = 64, debug = true }: QueueRigSpec = {}) {
    this.#log2Size = log2Size;
    this.clientMemory = new PacketMemory({ chunkCount, chunkLen, debug });
    this.serverMemory = new PacketMemory({ chunkCount, chunkLen, debug });
    this.rings = new ArrayBuffer(2 * ringLen(log2Size));
    const [c1, c2, s1, s2] = [this.#ring(0), this.#ring(1), this.#ring(0), this.#ring(1)];
    this.client = new ClientQueue(c1, c2, this.clientMemory, this.clientCounters);
    const { bytes } = this.clientMemory;
    const regions = [this.rings, bytes.buffer as ArrayBuffer];
    this.server = new ServerQueue(s1, s2, regions, this.serverMemory, this.serverCounters);
    this.refill();
  }

  /** Lends the server what it lacks. */
  refill(): void {
    const addrs = new Uint32Array(this.client.lacking);
    const taken = this.clientMemory.pool.takeInto(addrs, 0, addrs.length);
    const lent = this.client.lend(addrs, 0, taken);
    this.clientMemory.pool.putFrom(addrs, lent, taken - lent);
  }

  [Symbol.dispose](): void {
    this.client.release();
    this.clientMemory.close();
    this.serverMemory.close();
  }

  #ring(index: number): MemifRing {
    return new MemifRing(this.rings, index * ringLen(this.#log2Size), this.#log2Size);
  }
}
