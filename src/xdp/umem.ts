import { ChunkOwner, ChunkPool } from '../core/index.ts';
import { MAX_REGION_LEN, MappedRegion } from '../sys/index.ts';
import { xsk_tx_metadata } from '../sys/uapi/index.ts';
import { UmemSockets } from './umemSockets.ts';

/** What packet memory to make; plain data. */
export interface UmemSpec {
  /** [chunks] */
  chunkCount: number;
  /** 2048 or 4096, and with `unaligned` any size in between; default 2048 [bytes] */
  chunkLen?: number;
  /** chunks need not be a power of two long, nor stay within a page; default false */
  unaligned?: boolean;
  /** free bytes before each received frame, beside the kernel's own 256; default 0 [bytes] */
  headroom?: number;
  /** sockets on several nicQueues or interfaces use it; costs a table of who holds each chunk; default false */
  shared?: boolean;
  /** room before each sent frame for what the port is asked to do with it ({@link TxMetadata}); default false */
  txMetadata?: boolean;
  /** `try` reports a fallback to small pages, `strict` throws; default `off` */
  hugePages?: 'off' | 'try' | 'strict';
  /** prove the owner of every chunk at every step, and overwrite what is given back; slow; default false */
  debug?: boolean;
  /** for messages; default `umem` */
  what?: string;
}

/** What the kernel leaves free before a received frame. @source linux/bpf.h, XDP_PACKET_HEADROOM [bytes] */
export const XDP_PACKET_HEADROOM: number = 256;

/** @source net/xdp/xdp_umem.c, XDP_UMEM_MIN_CHUNK_SIZE; the most is a page [bytes] */
const MIN_CHUNK_LEN = 2048;
const MAX_CHUNK_LEN = 4096;

/** What a chunk reads as in debug mode once it has been given back. */
const POISON = 0xdb;

/**
 * Packet memory: `chunkCount` chunks of `chunkLen` bytes, and the pool of those that are free.
 *
 * Needs no privilege: a socket registers it with the kernel. Every chunk has one owner at any time (free, fill,
 * application, tx, completion); with `debug` the pool's ledger proves it and names the place where a lost or doubly
 * recycled chunk was taken.
 *
 * Shared, it serves sockets on any number of nicQueues and interfaces, all driven by one thread: a frame received on
 * one is sent on another without a copy.
 *
 * NB: the sockets on it must be closed first; the kernel keeps the pages pinned as long as one is open.
 */
export class Umem implements Disposable {
  readonly region: MappedRegion;
  /** the memory for reads of several bytes */
  readonly view: DataView;
  /** the memory as bytes */
  readonly bytes: Uint8Array;
  readonly pool: ChunkPool;
  readonly chunkCount: number;
  readonly chunkLen: number;
  /** all chunks together [bytes] */
  readonly len: number;
  readonly unaligned: boolean;
  readonly headroom: number;
  readonly shared: boolean;
  /** longest frame that fits behind headroom and the kernel's own 256 bytes [bytes] */
  readonly maxFrameLen: number;
  /** before each sent frame, kept for its metadata; 0 without [bytes] */
  readonly txMetadataLen: number;
  /**
   * who does what {@link TxMetadata} asks: the kernel with the driver, or our own tx() where the kernel knows of no
   * metadata, as the first socket finds out
   */
  txMetadata: 'none' | 'kernel' | 'software';
  /** free bytes before each frame to send: the headroom, or what metadata needs [bytes] */
  readonly txHeadroom: number;
  /** whether {@link Umem.lend} has to hear of every chunk that changes hands */
  readonly tracked: boolean;
  /** chunks that are not lent to receivers, so that senders have some: at most half of all [chunks] */
  txReserve: number = 0;
  /** the open sockets on it, for who opens the next */
  readonly sockets: UmemSockets = new UmemSockets();
  /** with `shared`, by chunk: the socket whose rings it is on, 1 to 255; 0 while it is free or the application's */
  readonly #holders: Uint8Array | null;
  readonly #debug: boolean;
  #txWanted = 0;

  /** Maps the memory. @throws RangeError when a size cannot be registered; SystemError when no memory is to be had */
  constructor(spec: UmemSpec) {
    const { chunkCount, chunkLen = MIN_CHUNK_LEN, unaligned = false, headroom = 0, shared = false } = spec;
    checkSizes(chunkCount, chunkLen, headroom, unaligned);
    this.chunkCount = chunkCount;
    this.chunkLen = chunkLen;
    this.len = chunkCount * chunkLen;
    this.unaligned = unaligned;
    this.headroom = headroom;
    this.shared = shared;
    this.maxFrameLen = chunkLen - headroom - XDP_PACKET_HEADROOM;
    this.txMetadataLen = spec.txMetadata ? xsk_tx_metadata.sizeof : 0;
    this.txMetadata = spec.txMetadata ? 'kernel' : 'none';
    this.txHeadroom = Math.max(headroom, this.txMetadataLen);
    this.region = new MappedRegion({
      len: this.len,
      hugePages: spec.hugePages ?? 'off',
      what: spec.what ?? 'umem',
    });
    this.view = new DataView(this.region.buffer);
    this.bytes = new Uint8Array(this.region.buffer);
    this.#debug = spec.debug ?? false;
    this.pool = new ChunkPool({ count: chunkCount, chunkLen, debug: this.#debug });
    this.#holders = shared ? new Uint8Array(chunkCount) : null;
    this.tracked = shared || this.#debug;
  }

  /**
   * Notes that the chunk around `addr` changes hands: in the ledger, and in the table of a shared umem.
   *
   * @param holder - the socket on whose fill or tx ring the chunk is put
   * @throws Error in debug mode, when `from` is not its owner
   */
  lend(addr: number, from: ChunkOwner, to: ChunkOwner, holder: number): void {
    if (this.pool.ledger !== null) {
      this.pool.ledger.move(addr, from, to);
      if (to === ChunkOwner.fill || to === ChunkOwner.completion) this.#poison(addr);
    }
    if (this.#holders !== null) this.#holders[Math.floor(addr / this.chunkLen)] = holder;
  }

  /** Gives chunks back to the pool, as {@link ChunkPool.putFrom} does; in debug mode their bytes are overwritten. @hot */
  putFrom(from: Uint32Array, at: number, count: number): void {
    this.pool.putFrom(from, at, count);
    if (this.#debug) for (let i = at; i < at + count; i++) this.#poison(from[i]!);
  }

  /** Keeps `count` more chunks for senders, or fewer: as many as the tx rings of its sockets hold. */
  reserveForTx(count: number): void {
    this.#txWanted += count;
    this.txReserve = Math.min(this.#txWanted, this.chunkCount >>> 1);
  }

  /** Puts back into the pool what is on the rings of `holder`, a socket that was closed. @returns chunks put back */
  reclaim(holder: number): number {
    let count = 0;
    for (let i = 0; this.#holders !== null && i < this.chunkCount; i++) {
      if (this.#holders[i] !== holder) continue;
      const addr = i * this.chunkLen;
      this.lend(addr, this.pool.ledger?.ownerOf(addr) ?? ChunkOwner.fill, ChunkOwner.application, 0);
      this.pool.put(addr);
      count++;
    }
    return count;
  }

  /**
   * Unmaps the memory; later use of its views throws. Idempotent.
   *
   * @throws Error in debug mode, once the memory is unmapped, when the application still had chunks: where they were taken
   */
  close(): void {
    if (this.region.closed) return;
    this.region.close();
    if (this.#debug) this.pool.ledger!.assertNone(ChunkOwner.application);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Overwrites the chunk around `addr`, so that who reads on in it notices. */
  #poison(addr: number): void {
    const chunk = this.pool.chunkOf(addr);
    this.bytes.fill(POISON, chunk, chunk + this.chunkLen);
  }
}

function checkSizes(chunkCount: number, chunkLen: number, headroom: number, unaligned: boolean): void {
  const wanted = unaligned
    ? `an integer from ${MIN_CHUNK_LEN} to ${MAX_CHUNK_LEN} bytes`
    : `${MIN_CHUNK_LEN} or ${MAX_CHUNK_LEN} bytes, or the umem unaligned`;
  const fits = unaligned
    ? Number.isInteger(chunkLen) && chunkLen >= MIN_CHUNK_LEN && chunkLen <= MAX_CHUNK_LEN
    : chunkLen === MIN_CHUNK_LEN || chunkLen === MAX_CHUNK_LEN;
  if (!fits) throw new RangeError(`Cannot make umem: chunkLen must be ${wanted}, got ${chunkLen}`);
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
