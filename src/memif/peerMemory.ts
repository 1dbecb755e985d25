import { fstatSync, readlinkSync } from 'node:fs';
import {
  type Fd,
  MAX_REGION_LEN,
  MappedFile,
  SystemError,
  sealAgainstShrinking,
  setNonblocking,
} from '../sys/index.ts';

/** Unit of a file's `blocks`, whatever its file system. [bytes] @source inode(7) */
const BLOCK_LEN = 512;

/** What a server takes from a client. */
export interface PeerMemorySpec {
  /** of all regions together [bytes] */
  readonly maxMemoryLen: number;
  /** take memory too that the client could take away, and kill us by SIGBUS */
  readonly trustPeer: boolean;
}

/** What a handshake does with descriptors; it keeps those for which it returns undefined, and says why not otherwise. */
export interface RegionKeeper {
  /** memory mapped so far, by index */
  readonly regions: readonly ArrayBuffer[];
  /** Maps a region. */
  addRegion(fd: Fd, len: number): string | undefined;
  /** Keeps the eventfd of a ring. */
  addInterrupt(fd: Fd): string | undefined;
}

/**
 * Memory and eventfds that a client handed over, from its first region to the end of its connection.
 *
 * Nothing is believed: memory that the client could shrink or that is shorter than it says is refused, as is an
 * interrupt that is something else (a write to a full pipe would block us).
 */
export class PeerMemory implements RegionKeeper, Disposable {
  readonly #spec: PeerMemorySpec;
  readonly #regions: MappedFile[] = [];
  readonly #interrupts: Fd[] = [];
  #len = 0;

  /** Maps nothing yet. */
  constructor(spec: PeerMemorySpec) {
    this.#spec = spec;
  }

  /** The memory, by region index. */
  get regions(): readonly ArrayBuffer[] {
    return this.#regions.map((region) => region.buffer);
  }

  /** Maps a region and closes its descriptor, which is needed no more. @returns why not, if not */
  addRegion(fd: Fd, len: number): string | undefined {
    const room = this.#spec.maxMemoryLen - this.#len;
    if (len < 1) return 'empty region';
    if (len > Math.min(room, MAX_REGION_LEN)) return 'too much memory';
    try {
      const shaky = this.#spec.trustPeer ? undefined : sealAgainstShrinking(fd.fd);
      if (shaky !== undefined) return shaky;
      // Once it cannot shrink, its length can be relied on.
      const file = fstatSync(fd.fd);
      if (!file.isFile()) return 'region is no file';
      if (file.size < len) return 'region longer than its memory';
      // NB: holes are left to their first touch: filling gigabytes of them would take its time, and our memory.
      const whole = file.blocks * BLOCK_LEN >= len;
      this.#regions.push(new MappedFile(fd.fd, len, 0, 'region of a memif peer', whole));
      this.#len += len;
    } catch (error) {
      return cannot('map region', error);
    }
    fd.close();
    return undefined;
  }

  /** Keeps the eventfd of a ring, and has writes to it never block. @returns why not, if not */
  addInterrupt(fd: Fd): string | undefined {
    try {
      if (readlinkSync(`/proc/self/fd/${fd.fd}`) !== 'anon_inode:[eventfd]') return 'interrupt is no eventfd';
      setNonblocking(fd.fd);
    } catch (error) {
      return cannot('use interrupt', error);
    }
    this.#interrupts.push(fd);
    return undefined;
  }

  /** Tells whether a descriptor is one of the interrupts. */
  keeps(fd: Fd): boolean {
    return this.#interrupts.includes(fd);
  }

  /** Unmaps and closes everything. Idempotent. */
  close(): void {
    for (const region of this.#regions) region.close();
    for (const fd of this.#interrupts) fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A peer's descriptor may make any of these calls fail; the code says how. */
function cannot(what: string, error: unknown): string {
  if (error instanceof SystemError) return `cannot ${what}: ${error.code}`;
  if (error instanceof Error && 'code' in error) return `cannot ${what}: ${error.code}`;
  throw error;
}
