import { ChunkPool } from '../core/index.ts';
import { MAX_REGION_LEN, MappedRegion } from '../sys/index.ts';

/** Chunk lengths that the kernel takes in aligned mode on 4 KiB pages. [bytes] */
export type ChunkLen = 2048 | 4096;

/** What packet memory to make; plain data. */
export interface UmemSpec {
  /** [chunks] */
  chunkCount: number;
  /** [bytes]; default 2048 */
  chunkLen?: ChunkLen;
  /** free bytes before each received frame, beside the kernel's own 256; default 0 [bytes] */
  headroom?: number;
  /** `try` reports a fallback to small pages, `strict` throws; default `off` */
  hugePages?: 'off' | 'try' | 'strict';
  /** prove the owner of every chunk at every step; slow; default false */
  debug?: boolean;
  /** for messages; default `umem` */
  what?: string;
}

/** What the kernel leaves free before a received frame. @source linux/bpf.h, XDP_PACKET_HEADROOM [bytes] */
export const XDP_PACKET_HEADROOM: number = 256;

/**
 * Packet memory: `chunkCount` chunks of `chunkLen` bytes, and the pool of those that are free.
 *
 * Needs no privilege: a socket registers it with the kernel. Every chunk has one owner at any time (free, fill,
 * application, tx, completion); with `debug` the pool's ledger proves it and names the place where a lost or doubly
 * recycled chunk was taken.
 *
 * NB: the sockets on it must be closed first; the kernel keeps the pages pinned as long as one is open.
 */
export class Umem implements Disposable {
  readonly region: MappedRegion;
  readonly pool: ChunkPool;
  readonly chunkCount: number;
  readonly chunkLen: number;
  readonly headroom: number;
  /** longest frame that fits behind headroom and the kernel's own 256 bytes [bytes] */
  readonly maxFrameLen: number;

  /** Maps the memory. @throws RangeError when a size cannot be registered; SystemError when no memory is to be had */
  constructor(spec: UmemSpec) {
    const chunkLen: number = spec.chunkLen ?? 2048;
    const headroom = spec.headroom ?? 0;
    checkSizes(spec.chunkCount, chunkLen, headroom);
    this.chunkCount = spec.chunkCount;
    this.chunkLen = chunkLen;
    this.headroom = headroom;
    this.maxFrameLen = chunkLen - headroom - XDP_PACKET_HEADROOM;
    this.region = new MappedRegion({
      len: spec.chunkCount * chunkLen,
      hugePages: spec.hugePages ?? 'off',
      what: spec.what ?? 'umem',
    });
    this.pool = new ChunkPool({ count: spec.chunkCount, chunkLen, debug: spec.debug ?? false });
  }

  /** Unmaps the memory; later use of its views throws. Idempotent. */
  close(): void {
    this.region.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checkSizes(chunkCount: number, chunkLen: number, headroom: number): void {
  if (chunkLen !== 2048 && chunkLen !== 4096) {
    throw new RangeError(
      `Cannot make umem: chunkLen must be 2048 or 4096 bytes (aligned mode, 4 KiB pages), got ${chunkLen}`,
    );
  }
  if (!Number.isInteger(chunkCount) || chunkCount < 1) {
    throw new RangeError(`Cannot make umem: chunkCount must be a positive integer, got ${chunkCount}`);
  }
  if (chunkCount * chunkLen > MAX_REGION_LEN) {
    throw new RangeError(
      `Cannot make umem: ${chunkCount} chunks of ${chunkLen} bytes exceed the limit of 2 GiB - 1; ` +
        `ask for at most ${Math.floor(MAX_REGION_LEN / chunkLen)} chunks`,
    );
  }
  const room = chunkLen - XDP_PACKET_HEADROOM;
  if (!Number.isInteger(headroom) || headroom < 0 || headroom >= room) {
    throw new RangeError(`Cannot make umem: headroom must be 0 to ${room - 1} bytes, got ${headroom}`);
  }
}
