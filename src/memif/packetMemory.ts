import { type Burst, ChunkOwner, ChunkPool, FrameFlags } from '../core/index.ts';
import { createSealedMemfd, type Fd, MappedFile } from '../sys/index.ts';

/** How much packet memory, and in which pieces. */
export interface PacketMemorySpec {
  /** [chunks] */
  readonly chunkCount: number;
  /** a power of two from 512 to 65,536; default 2048 [bytes] */
  readonly chunkLen?: number;
  /** prove the owner of every chunk at every step; default false */
  readonly debug?: boolean;
}

/** Longest memory that typed arrays read at full speed. [bytes] */
const MAX_LEN = 2 ** 31 - 1;

/**
 * The packet memory of a memif port: chunks in a memfd that cannot shrink, so that a peer may map it without fear.
 *
 * Only a client hands it to its peer. Several ports of one thread may use one memory: what one receives, the other can
 * send as it is, and the servers of both see all of it.
 */
export class PacketMemory implements Disposable {
  readonly fd: Fd;
  readonly len: number;
  readonly chunkLen: number;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly pool: ChunkPool;
  readonly #mapping: MappedFile;

  /** Maps the memory. @throws RangeError when a size is none; SystemError when no memory is to be had */
  constructor({ chunkCount, chunkLen = 2048, debug = false }: PacketMemorySpec) {
    if (!Number.isInteger(chunkCount) || chunkCount < 1 || chunkCount * chunkLen > MAX_LEN) {
      throw new RangeError(
        `Cannot make packet memory: chunkCount must be 1 to ${Math.floor(MAX_LEN / chunkLen)}, got ${chunkCount}`,
      );
    }
    if (!(chunkLen >= 512 && chunkLen <= 65_536 && (chunkLen & (chunkLen - 1)) === 0)) {
      throw new RangeError(
        `Cannot make packet memory: chunkLen must be a power of two from 512 to 65536 bytes, got ${chunkLen}`,
      );
    }
    this.len = chunkCount * chunkLen;
    this.chunkLen = chunkLen;
    this.fd = createSealedMemfd('memif packets', this.len);
    try {
      this.#mapping = new MappedFile(this.fd.fd, this.len, 0, 'memif packet memory');
    } catch (error) {
      this.fd.close();
      throw error;
    }
    this.view = new DataView(this.#mapping.buffer);
    this.bytes = new Uint8Array(this.#mapping.buffer);
    this.pool = new ChunkPool({ count: chunkCount, chunkLen, debug });
  }

  /** In debug mode, has the ledger note that chunks of a burst change hands. */
  move(addrs: Uint32Array, first: number, count: number, from: ChunkOwner, to: ChunkOwner): void {
    const { ledger } = this.pool;
    if (ledger === null) return;
    for (let i = first; i < first + count; i++) ledger.move(addrs[i]!, from, to);
  }

  /**
   * Looks whether `count` descriptors are frames of ours to send.
   *
   * @throws RangeError when one is empty, leaves its chunk or has no last piece
   * @hot
   */
  check(burst: Burst, count: number): void {
    const chunkLen = this.chunkLen;
    const inChunkMask = chunkLen - 1;
    const lastAddr = this.len - 1;
    const addr = burst.addr;
    const len = burst.len;
    let wrong = 0;
    for (let i = 0; i < count; i++) {
      const frameAddr = addr[i]! | 0;
      const frameLen = len[i]! | 0;
      wrong |=
        (chunkLen - (frameAddr & inChunkMask) - frameLen) |
        (frameLen - 1) |
        frameAddr |
        (lastAddr - frameAddr);
    }
    if (wrong < 0 || (count > 0 && (burst.flags[count - 1]! & FrameFlags.continues) !== 0)) throwBadFrame();
  }

  /** Unmaps our view; a peer's mapping lives on. Idempotent. @throws Error in debug mode, when chunks were still in hand */
  close(): void {
    if (this.fd.closed) return;
    this.fd.close();
    this.#mapping.close();
    this.pool.ledger?.assertNone(ChunkOwner.application);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Cold on purpose: a throw inside a hot function would keep it from being inlined. */
export function throwBadFrame(): never {
  throw new RangeError(
    'Cannot send a burst: each frame must have 1 byte or more, stay in its chunk, and have its last piece in the burst',
  );
}
