import { statSync } from 'node:fs';
import { type Burst, ChunkPool, copyBytes, FrameFlags } from '../core/index.ts';
import { nowNs, TimerFd } from '../sys/index.ts';
import { CaptureDirection } from '../wire/index.ts';
import { CaptureFile } from './captureFile.ts';
import { type PcapIndex, readPcapIndex } from './pcapIndex.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

/** What to replay, and where to what is sent. */
export interface PcapSpec {
  /** capture to receive from, pcap or pcapng; without one nothing is received */
  readonly path?: string;
  /** pcapng file that is written with what is sent; without one it is discarded */
  readonly out?: string;
  /** `fast` hands frames out as they are asked for, `recorded` no sooner than they followed each other; default `fast` */
  readonly pace?: 'fast' | 'recorded';
  /** how many times the capture is replayed; default 1 */
  readonly loop?: number;
  /** default 1024 [chunks] */
  readonly chunkCount?: number;
  /** throw for a capture that has parts of frames only, instead of leaving those out; default false */
  readonly strict?: boolean;
  /** prove the owner of every chunk at every step; default false */
  readonly debug?: boolean;
}

const CHUNK_LEN = 2048;
const HEADROOM = 256;
const PIECE_LEN = CHUNK_LEN - HEADROOM;
const MIN_MTU = 1500;
const ETH_HEADER_LEN = 14;
const NOTHING: PcapIndex = {
  view: new DataView(new ArrayBuffer(0)),
  offset: new Uint32Array(0),
  len: new Uint32Array(0),
  dueNs: new Float64Array(0),
  truncated: 0,
};

// Counters are in a typed array: in a field, one that has passed 2^31 would be an object.
const RX_FRAMES = 0;
const RX_BYTES = 1;
const TX_FRAMES = 2;
const TX_BYTES = 3;
const TX_REFUSED = 4;
const CHAIN_TOO_LONG = 5;
const NO_OUTPUT = 6;
/** when the pass in hand began [monotonic ns] */
const START_NS = 7;
const COUNTERS = 8;

/**
 * A port that receives what a capture file holds, and writes what is sent to another.
 *
 * The file is read into memory and indexed when the port is opened. Each frame is copied into a chunk of its own, since
 * whoever received it may change it, send it on and keep it, also when the capture is replayed once more; a frame longer
 * than a chunk goes over several.
 *
 * Frames that the capture has cut short are left out (`truncated`). At its end rx() returns 0 for ever, and
 * {@link PcapPort.ended} says so.
 */
export class PcapPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  /** locally administered */
  readonly mac: Uint8Array = Uint8Array.of(0x02, 0, 0, 0, 0, 1);
  readonly mtu: number;
  readonly maxPieceLen: number = PIECE_LEN;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** the free chunks; with `debug` its ledger proves every owner */
  readonly pool: ChunkPool;
  readonly #index: PcapIndex;
  readonly #view: DataView;
  readonly #out: CaptureFile | null;
  /** wakes who sleeps until the next frame is due; null where none has to wait */
  readonly #timer: TimerFd | null;
  readonly #counters = new Float64Array(COUNTERS);
  #next = 0;
  /** passes over the capture after the one in hand */
  #passesLeft: number;
  #started = false;
  #open = true;

  /**
   * Reads the capture, then creates the file to write.
   *
   * @throws SystemError when a file cannot be read or created
   * @throws CaptureError with the offset of what is malformed in the capture
   * @throws RangeError when the capture is longer than 2 GiB - 1, or a number is out of range
   * @throws TypeError when `out` is the capture itself, Error under `strict` when frames of the capture are cut short
   */
  constructor(spec: PcapSpec, text: string = `pcap:${spec.path ?? ''}`) {
    const { path, out, pace = 'fast', loop = 1, chunkCount = 1024 } = spec;
    const { strict = false, debug = false } = spec;
    if (!Number.isInteger(loop) || loop < 1) {
      throw new RangeError(`Cannot open ${text}: loop must be a whole number from 1 on, got ${loop}`);
    }
    this.pool = new ChunkPool({ count: chunkCount, chunkLen: CHUNK_LEN, debug });
    const index = path === undefined ? NOTHING : readPcapIndex(path);
    if (strict && index.truncated > 0) {
      throw new Error(`Cannot open ${text} as asked: ${describeTruncated(index.truncated)}`);
    }
    if (path !== undefined && out !== undefined && isSameFile(path, out)) {
      throw new TypeError(`Cannot open ${text}: out would overwrite the capture that is read`);
    }
    const frames = index.offset.length;
    const memory = new ArrayBuffer(chunkCount * CHUNK_LEN);
    this.spec = text;
    this.#index = index;
    this.#view = new DataView(memory);
    this.regions = [{ view: this.#view, bytes: new Uint8Array(memory) }];
    this.mtu = index.len.reduce((longest, len) => Math.max(longest, len - ETH_HEADER_LEN), MIN_MTU);
    this.#passesLeft = frames === 0 ? 0 : loop - 1;
    using cleanup = new DisposableStack();
    this.#timer = pace === 'recorded' ? cleanup.use(new TimerFd(text)) : null;
    const file = out === undefined ? null : new CaptureFile({ path: out, interfaceName: text });
    cleanup.move();
    this.#out = file;
    this.fds = this.#timer === null ? [] : [this.#timer.fd];
    const received = path === undefined ? 'nothing to receive' : `${frames} frames at ${pace} pace`;
    this.report = {
      via: 'pcap',
      accelerated: false,
      mode: `${received}, what is sent is ${out === undefined ? 'discarded' : `written to ${out}`}`,
      // Read anew: a disk may fill up.
      get reasons(): readonly string[] {
        return describe(index.truncated, file);
      },
    };
  }

  /** The capture is at its end: rx() will return 0 for ever. */
  get ended(): boolean {
    return this.#next === this.#index.offset.length && this.#passesLeft === 0;
  }

  /** Copies frames that are due into chunks; returns 0 when none is, no chunk is free, or the capture is at its end. @hot */
  rx(burst: Burst): number {
    burst.count = 0;
    const index = this.#index;
    const frames = index.offset.length;
    const counters = this.#counters;
    const now = this.#timer === null ? 0 : this.#clock();
    let received = 0;
    let bytes = 0;
    while (burst.count < burst.capacity) {
      if (this.#next === frames && !this.#rewind()) break;
      const next = this.#next;
      if (this.#timer !== null && counters[START_NS]! + index.dueNs[next]! > now) break;
      const len = index.len[next]!;
      const pieces = len <= PIECE_LEN ? 1 : Math.ceil(len / PIECE_LEN);
      if (pieces > burst.capacity || pieces > this.pool.count) {
        counters[CHAIN_TOO_LONG]! += 1;
      } else if (pieces > burst.capacity - burst.count || pieces > this.pool.free) {
        break;
      } else {
        this.#copyTo(burst, index.offset[next]!, len, pieces);
        received++;
        bytes += len;
      }
      this.#next = next + 1;
    }
    counters[RX_FRAMES]! += received;
    counters[RX_BYTES]! += bytes;
    return burst.count;
  }

  /** Takes free chunks. @hot */
  alloc(burst: Burst, count: number): number {
    return this.pool.allocInto(burst, count, 0, HEADROOM);
  }

  /** Takes all whole frames: into the file to write, or away, which `noOutput` counts. @hot */
  tx(burst: Burst): number {
    const out = this.#out;
    let accepted = 0;
    let frames = 0;
    for (let i = 0; i < burst.count; i++) {
      if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
      accepted = i + 1;
      frames++;
    }
    const counters = this.#counters;
    counters[TX_REFUSED]! += burst.count - accepted;
    if (out === null) {
      counters[NO_OUTPUT]! += frames;
    } else {
      for (let first = 0; first < accepted; ) {
        const staged = Math.min(
          out.stage(burst, first, this.regions, CaptureDirection.outbound),
          accepted - first,
        );
        out.commit(burst, first, staged);
        first += staged;
      }
      let bytes = 0;
      for (let i = 0; i < accepted; i++) bytes += burst.len[i]!;
      counters[TX_FRAMES]! += frames;
      counters[TX_BYTES]! += bytes;
    }
    this.pool.putFrom(burst.addr, 0, accepted);
    return accepted;
  }

  /** Writes what was sent to the file. @hot */
  flush(): void {
    if (this.#out !== null) this.#out.write();
  }

  /** Returns every chunk. @hot */
  recycle(burst: Burst): void {
    this.pool.putFrom(burst.addr, 0, burst.count);
    burst.count = 0;
  }

  /** At recorded pace: sets the timer to the next frame; true when it is still to come, or none is. Else always false. */
  arm(): boolean {
    this.flush();
    const timer = this.#timer;
    if (timer === null) return false;
    timer.disarm();
    if (this.ended) return true;
    if (!this.#started || this.#next === this.#index.offset.length) return false;
    const waitNs = this.#counters[START_NS]! + this.#index.dueNs[this.#next]! - nowNs();
    if (waitNs <= 0) return false;
    timer.arm(waitNs);
    return true;
  }

  /** What was counted; those of `txFrames` that the file will not have are `notWritten` too. */
  statistics(): PortStatistics {
    const counters = this.#counters;
    return {
      rxFrames: counters[RX_FRAMES]!,
      rxBytes: counters[RX_BYTES]!,
      txFrames: counters[TX_FRAMES]!,
      txBytes: counters[TX_BYTES]!,
      txRefused: counters[TX_REFUSED]!,
      drops: {
        truncated: this.#index.truncated,
        chainTooLong: counters[CHAIN_TOO_LONG]!,
        noOutput: counters[NO_OUTPUT]!,
        notWritten: this.#out?.dropped ?? 0,
      },
    };
  }

  /** Finishes the file that was written. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#out?.close();
    this.#timer?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns the time; the first call begins the replay. */
  #clock(): number {
    const now = nowNs();
    if (!this.#started) {
      this.#started = true;
      this.#counters[START_NS] = now;
    }
    return now;
  }

  /** Begins the next pass, when the last frame of this one was due; false when this one is the last. */
  #rewind(): boolean {
    if (this.#passesLeft === 0) return false;
    this.#passesLeft--;
    this.#counters[START_NS]! += this.#index.dueNs[this.#next - 1]!;
    this.#next = 0;
    return true;
  }

  #copyTo(burst: Burst, offset: number, len: number, pieces: number): void {
    const first = burst.count;
    this.alloc(burst, pieces);
    let done = 0;
    for (let i = first; i < first + pieces; i++) {
      const piece = Math.min(PIECE_LEN, len - done);
      copyBytes(this.#index.view, offset + done, this.#view, burst.addr[i]!, piece);
      burst.len[i] = piece;
      if (burst.timestampNs !== null) burst.timestampNs[i] = 0;
      if (burst.hash !== null) burst.hash[i] = 0;
      done += piece;
      if (done < len) burst.flags[i] = FrameFlags.continues;
    }
  }
}

/** Whether two paths lead to one file, by whatever links. */
function isSameFile(path: string, other: string): boolean {
  const [a, b] = [path, other].map((each) => statSync(each, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function describeTruncated(count: number): string {
  return `${count} frames are left out: the capture has a part of each only`;
}

function describe(truncated: number, file: CaptureFile | null): string[] {
  const reasons: string[] = [];
  if (truncated > 0) reasons.push(describeTruncated(truncated));
  if (file?.failure !== undefined) reasons.push(`what is sent is discarded: ${file.failure.message}`);
  return reasons;
}
