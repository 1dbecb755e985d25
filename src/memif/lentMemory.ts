import { createSealedMemfd, EventFd, type Fd, MappedFile } from '../sys/index.ts';
import type { MemifRingPlace } from './connection.ts';
import { RING_COOKIE, ringLen } from './ring.ts';

const LINE = 64;

/** The packet memory of a port: a memfd from `createSealedMemfd`, which stays its owner's. */
export interface SharedPackets {
  readonly fd: Fd;
  /** the whole of it [bytes] */
  readonly len: number;
}

/** One region as it is handed over. */
export interface LentRegion {
  readonly fd: number;
  /** [bytes] */
  readonly len: number;
}

/**
 * What a client lends to one server: fresh rings (region 0) with an eventfd each, and the packet memory (region 1), which
 * is the port's and outlives it.
 *
 * Rings of an earlier connection are not used again: its server may still write to them.
 */
export class LentMemory implements Disposable {
  readonly regions: readonly LentRegion[];
  /** region 0 as mapped here */
  readonly rings: ArrayBuffer;
  readonly toServer: readonly MemifRingPlace[];
  readonly toClient: readonly MemifRingPlace[];
  readonly #owned: DisposableStack;

  /** @param queues - rings in each direction */
  constructor(packets: SharedPackets, queues: number, log2Size: number) {
    using cleanup = new DisposableStack();
    const stride = Math.ceil(ringLen(log2Size) / LINE) * LINE;
    const len = 2 * queues * stride;
    const memfd: Fd = cleanup.use(createSealedMemfd('memif rings', len));
    const mapping = cleanup.use(new MappedFile(memfd.fd, len, 0, 'memif rings'));
    const rings = Array.from({ length: 2 * queues }, (_, i): MemifRingPlace => {
      // Flags and cursors are zero, as the memory is; a descriptor says nothing before a cursor has passed it.
      new DataView(mapping.buffer).setUint32(i * stride, RING_COOKIE, true);
      const { fd } = cleanup.use(EventFd.create(`memif ring ${i}`));
      return { region: 0, offset: i * stride, log2Size, interrupt: fd };
    });
    this.regions = [
      { fd: memfd.fd, len },
      { fd: packets.fd.fd, len: packets.len },
    ];
    this.rings = mapping.buffer;
    this.toServer = rings.slice(0, queues);
    this.toClient = rings.slice(queues);
    this.#owned = cleanup.move();
  }

  /** Unmaps the rings and closes their eventfds; the packet memory stays. Idempotent. */
  close(): void {
    this.#owned.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
