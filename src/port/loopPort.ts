import { type Burst, ChunkPool, FrameFlags } from '../core/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

/** How to make a pair of loop ports. */
export interface LoopSpec {
  /** chunks of each end; default 1024 [chunks] */
  chunkCount?: number;
  /** descriptors on their way to each end, a power of two; default 256 */
  ringSize?: number;
  /** prove the owner of every chunk at every step; default false */
  debug?: boolean;
  /** for `spec`; default `loop:` */
  name?: string;
}

const CHUNK_LEN = 2048;
const HEADROOM = 256;
const MTU = 1500;

// Counters are in a typed array: in a field, one that has passed 2^31 would be an object.
const RX_FRAMES = 0;
const RX_BYTES = 1;
const TX_FRAMES = 2;
const TX_BYTES = 3;
const TX_REFUSED = 4;
const CHAIN_TOO_LONG = 5;
const PEER_CLOSED = 6;
const COUNTERS = 7;

/** The memory of one end. */
interface End {
  readonly region: Region;
  readonly pool: ChunkPool;
  readonly mac: Uint8Array;
}

/**
 * One end of a wire in memory: what one end sends, the other receives, in the same chunk.
 *
 * For tests, demos and programs on a laptop; no privilege, no kernel. Two ends, two regions: both see both, a frame
 * keeps the region of the end that allocated it, and recycling returns it there. Both ends live in one thread.
 */
export class LoopPort implements Port {
  readonly spec: string;
  readonly report: PortReport = { via: 'loop', accelerated: false, mode: 'memory', reasons: [] };
  readonly mac: Uint8Array;
  readonly mtu: number = MTU;
  readonly maxPieceLen: number = CHUNK_LEN - HEADROOM;
  readonly regions: readonly Region[];
  readonly fds: readonly number[] = [];
  readonly #index: number;
  readonly #ends: readonly End[];
  readonly #inbox: Inbox;
  #peer: LoopPort | undefined;
  #open = true;
  readonly #counters = new Float64Array(COUNTERS);

  private constructor(spec: string, index: number, ends: readonly End[], ringSize: number) {
    this.spec = spec;
    this.#index = index;
    this.#ends = ends;
    this.mac = ends[index]!.mac;
    this.regions = ends.map((end) => end.region);
    this.#inbox = new Inbox(ringSize);
  }

  /** Makes both ends of a wire. @throws RangeError when a size is no power of two */
  static pair(spec: LoopSpec = {}): [LoopPort, LoopPort] {
    const ringSize = spec.ringSize ?? 256;
    if (!Number.isInteger(ringSize) || ringSize < 1 || (ringSize & (ringSize - 1)) !== 0) {
      throw new RangeError(`Cannot make loop port: ringSize must be a power of two, got ${ringSize}`);
    }
    const ends = [0, 1].map((index) => makeEnd(index, spec.chunkCount ?? 1024, spec.debug ?? false));
    const a = new LoopPort(`${spec.name ?? 'loop:'}`, 0, ends, ringSize);
    const b = new LoopPort(`${spec.name ?? 'loop:'}`, 1, ends, ringSize);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  /** The free chunks of both ends; with `debug` their ledgers prove every owner. */
  get pools(): readonly ChunkPool[] {
    return this.#ends.map((end) => end.pool);
  }

  /** Takes what the other end sent. @hot */
  rx(burst: Burst): number {
    const inbox = this.#inbox;
    let count = inbox.copyTo(burst);
    let frames = 0;
    let bytes = 0;
    let whole = 0;
    for (let i = 0; i < count; i++) {
      bytes += burst.len[i]!;
      if ((burst.flags[i]! & FrameFlags.continues) === 0) {
        frames++;
        whole = i + 1;
      }
    }
    if (whole < count) {
      for (let i = whole; i < count; i++) bytes -= burst.len[i]!;
      if (whole === 0) {
        this.#dropChain(burst);
        return 0;
      }
      count = whole;
    }
    inbox.release(count);
    burst.count = count;
    burst.clearMetadata(count);
    this.#counters[RX_FRAMES]! += frames;
    this.#counters[RX_BYTES]! += bytes;
    return count;
  }

  /** Takes free chunks of this end. @hot */
  alloc(burst: Burst, count: number): number {
    return this.#ends[this.#index]!.pool.allocInto(burst, count, this.#index, HEADROOM);
  }

  /** Hands whole frames to the other end, as long as its ring has room. @hot */
  tx(burst: Burst): number {
    const peer = this.#peer;
    if (peer === undefined || !peer.#open) return this.#dropAll(burst);
    const room = Math.min(burst.count, peer.#inbox.free);
    let accepted = 0;
    let frames = 0;
    let bytes = 0;
    for (let i = 0; i < room; i++) {
      if ((burst.flags[i]! & FrameFlags.continues) === 0) {
        accepted = i + 1;
        frames++;
      }
    }
    for (let i = 0; i < accepted; i++) {
      bytes += burst.len[i]!;
      peer.#inbox.push(burst, i);
    }
    this.#counters[TX_FRAMES]! += frames;
    this.#counters[TX_BYTES]! += bytes;
    this.#counters[TX_REFUSED]! += burst.count - accepted;
    return accepted;
  }

  /** Does nothing: tx() has handed the frames over. @hot */
  flush(): void {}

  /** Returns every chunk to the end that allocated it. @hot */
  recycle(burst: Burst): void {
    for (let i = 0; i < burst.count; i++) this.#ends[burst.region[i]!]!.pool.put(burst.addr[i]!);
    burst.count = 0;
  }

  /** Always false: memory alone wakes nobody. */
  arm(): boolean {
    return false;
  }

  /** What this end counted. */
  statistics(): PortStatistics {
    const counters = this.#counters;
    return {
      rxFrames: counters[RX_FRAMES]!,
      rxBytes: counters[RX_BYTES]!,
      txFrames: counters[TX_FRAMES]!,
      txBytes: counters[TX_BYTES]!,
      txRefused: counters[TX_REFUSED]!,
      drops: { chainTooLong: counters[CHAIN_TOO_LONG]!, peerClosed: counters[PEER_CLOSED]! },
    };
  }

  /** Closes this end: what is on its way to it goes back to the pools, what is sent to it later is dropped. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    while (this.#inbox.used > 0) this.#discard(this.#inbox);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #discard(inbox: Inbox): boolean {
    this.#ends[inbox.headRegion]!.pool.put(inbox.headAddr);
    const continues = (inbox.headFlags & FrameFlags.continues) !== 0;
    inbox.release(1);
    return continues;
  }

  /** A chain that no burst of this size can hold: nobody could ever receive it whole. */
  #dropChain(burst: Burst): void {
    while (this.#inbox.used > 0 && this.#discard(this.#inbox)) {}
    this.#counters[CHAIN_TOO_LONG]! += 1;
    burst.count = 0;
  }

  #dropAll(burst: Burst): number {
    const count = burst.count;
    for (let i = 0; i < count; i++) {
      this.#ends[burst.region[i]!]!.pool.put(burst.addr[i]!);
      if ((burst.flags[i]! & FrameFlags.continues) === 0) this.#counters[PEER_CLOSED]! += 1;
    }
    return count;
  }
}

function makeEnd(index: number, count: number, debug: boolean): End {
  const memory = new ArrayBuffer(count * CHUNK_LEN);
  return {
    region: { view: new DataView(memory), bytes: new Uint8Array(memory) },
    pool: new ChunkPool({ count, chunkLen: CHUNK_LEN, debug }),
    // Locally administered, one per end.
    mac: Uint8Array.of(0x02, 0, 0, 0, 0, index + 1),
  };
}

/** Descriptors on their way to one end. */
class Inbox {
  readonly #mask: number;
  readonly #addr: Uint32Array;
  readonly #len: Uint32Array;
  readonly #region: Uint8Array;
  readonly #flags: Uint8Array;
  #head = 0;
  #tail = 0;

  constructor(size: number) {
    this.#mask = size - 1;
    this.#addr = new Uint32Array(size);
    this.#len = new Uint32Array(size);
    this.#region = new Uint8Array(size);
    this.#flags = new Uint8Array(size);
  }

  get used(): number {
    return (this.#head - this.#tail) | 0;
  }

  get free(): number {
    return this.#mask + 1 - this.used;
  }

  get headAddr(): number {
    return this.#addr[this.#tail & this.#mask]!;
  }

  get headRegion(): number {
    return this.#region[this.#tail & this.#mask]!;
  }

  get headFlags(): number {
    return this.#flags[this.#tail & this.#mask]!;
  }

  push(burst: Burst, i: number): void {
    const slot = this.#head & this.#mask;
    this.#addr[slot] = burst.addr[i]!;
    this.#len[slot] = burst.len[i]!;
    this.#region[slot] = burst.region[i]!;
    this.#flags[slot] = burst.flags[i]!;
    this.#head = (this.#head + 1) | 0;
  }

  copyTo(burst: Burst): number {
    const count = Math.min(this.used, burst.capacity);
    for (let i = 0; i < count; i++) {
      const slot = (this.#tail + i) & this.#mask;
      burst.addr[i] = this.#addr[slot]!;
      burst.len[i] = this.#len[slot]!;
      burst.region[i] = this.#region[slot]!;
      burst.flags[i] = this.#flags[slot]!;
    }
    burst.count = count;
    return count;
  }

  release(count: number): void {
    this.#tail = (this.#tail + count) | 0;
  }
}
