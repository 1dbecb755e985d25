import { constants } from 'node:os';
import { type Burst, copyBytes, FrameFlags } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { Fd, SystemError, WallClock } from '../sys/index.ts';
import { O_APPEND, O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY } from '../sys/uapi/index.ts';
import {
  type CaptureDirection,
  PCAPNG_FRAME_OFFSET,
  pcapngHeader,
  pcapngPacketLen,
  pcapngStatistics,
  writePcapngPacket,
} from '../wire/index.ts';
import type { Region } from './port.ts';

/** How to write a {@link CaptureFile}. */
export interface CaptureFileSpec {
  /** created for the owner alone (mode 0600); what was there before is overwritten */
  readonly path: string;
  /** what the frames were captured on: `xdp:eth0` */
  readonly interfaceName: string;
  /** longest capture of a frame, at least 64; default 262,144 [bytes] */
  readonly snapLen?: number;
  /** what is collected before it is written, at least 4096; default 524,288 [bytes] */
  readonly bufferLen?: number;
}

const { EINTR } = constants.errno;

const MIN_SNAP_LEN = 64;
const MIN_BUFFER_LEN = 4096;
const DEFAULT_SNAP_LEN = 262_144;
const DEFAULT_BUFFER_LEN = 524_288;
const OWNER_ONLY = 0o600;

const MACS_LEN = 12;
const TAG_LEN = 4;
const TAG_PROTOCOL = 0x8100;

// Counters are in a typed array: in a field, one that has passed 2^31 would be an object.
const CAPTURED = 0;
const DROPPED = 1;
/** of those captured, the ones that are not in the file yet */
const BUFFERED = 2;
/** of the file [bytes] */
const WRITTEN_LEN = 3;
const COUNTERS = 4;

/**
 * A pcapng file that frames are written to, a burst at a time, through a buffer that is made once.
 *
 * Frames are staged, then committed: what a port will not accept is forgotten again. A frame over several chunks is one
 * packet; a VLAN tag that stands beside its frame is put back into it. One time for each burst.
 *
 * The buffer goes to the file with plain write(2), in whole blocks: what was written stays readable whatever becomes of
 * the process; a kill inside of a write may cut the last block. When writing fails, as on a full disk, capturing is over:
 * {@link CaptureFile.failure} says why and every further frame counts as dropped.
 */
export class CaptureFile implements Disposable {
  readonly path: string;
  /** longest capture of a frame: as asked, or less when the buffer holds less [bytes] */
  readonly snapLen: number;
  readonly #fd: Fd;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #clock = new WallClock();
  readonly #counters = new Float64Array(COUNTERS);
  #failure: SystemError | undefined;
  /** where the blocks end that are to be written */
  #committed = 0;
  /** where the blocks end that wait for their commit */
  #end = 0;

  /**
   * Creates the file and writes its header.
   *
   * @throws RangeError when a length is too small
   * @throws SystemError when the file cannot be created or written
   */
  constructor(spec: CaptureFileSpec) {
    const { path, interfaceName, snapLen = DEFAULT_SNAP_LEN, bufferLen = DEFAULT_BUFFER_LEN } = spec;
    atLeast(MIN_SNAP_LEN, snapLen, `Cannot capture to ${path}: snaplen`);
    atLeast(MIN_BUFFER_LEN, bufferLen, `Cannot capture to ${path}: buffer`);
    this.path = path;
    this.snapLen = Math.min(snapLen, (bufferLen - pcapngPacketLen(0)) & ~3);
    this.#bytes = new Uint8Array(bufferLen);
    this.#view = new DataView(this.#bytes.buffer);
    const fd = libc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, OWNER_ONLY);
    if (fd < 0) throw new SystemError('Cannot create capture', { syscall: 'open', subject: path });
    this.#fd = new Fd(fd, `capture ${path}`);
    const header = pcapngHeader({ interfaceName, snapLen: this.snapLen });
    this.#finish(header, header.length, libc.write(fd, header, header.length));
    if (this.#failure !== undefined) {
      this.#fd.close();
      throw this.#failure;
    }
  }

  /** Frames captured, on their way to the file included. [frames] */
  get captured(): number {
    return this.#counters[CAPTURED]!;
  }

  /** Frames that passed and that the file will not have. [frames] */
  get dropped(): number {
    return this.#counters[DROPPED]!;
  }

  /** Why capturing is over; undefined while it goes on. */
  get failure(): SystemError | undefined {
    return this.#failure;
  }

  /**
   * Copies frames of a burst into the buffer, from descriptor `first` on, where they wait for {@link CaptureFile.commit}.
   *
   * @param regions - of the port whose burst it is
   * @returns descriptors of the frames that are staged: all, unless they are more than the buffer holds
   * @hot a system call each time the buffer is full
   */
  stage(burst: Burst, first: number, regions: readonly Region[], direction: CaptureDirection): number {
    const count = burst.count;
    this.#clock.stamp();
    // What was staged before and never committed: the port that was to send it threw.
    this.#end = this.#committed;
    let at = first;
    while (at < count && this.#failure === undefined) {
      let last = at;
      let len = burst.len[at]!;
      while ((burst.flags[last]! & FrameFlags.continues) !== 0 && last + 1 < count) {
        last++;
        len += burst.len[last]!;
      }
      const tagged = (burst.flags[at]! & FrameFlags.vlan) !== 0 && burst.len[at]! >= MACS_LEN;
      if (tagged) len += TAG_LEN;
      const captured = Math.min(len, this.snapLen);
      const blockLen = pcapngPacketLen(captured);
      if (this.#end + blockLen > this.#bytes.length) {
        this.write();
        if (this.#end + blockLen > this.#bytes.length) break;
      }
      const frameAt = this.#end + PCAPNG_FRAME_OFFSET;
      writePcapngPacket(this.#view, this.#end, captured, len, this.#clock.time, direction);
      if (tagged) this.#copyTagged(burst, at, last, regions, frameAt, captured);
      else this.#copyPieces(burst, at, last, regions, frameAt, captured);
      this.#end += blockLen;
      at = last + 1;
    }
    return (this.#failure === undefined ? at : count) - first;
  }

  /**
   * Keeps the first of the staged frames, those of `count` descriptors from `first` on, and forgets the others.
   *
   * @hot
   */
  commit(burst: Burst, first: number, count: number): void {
    const lost = this.#failure !== undefined;
    const end = first + count;
    let frames = 0;
    let at = this.#committed;
    for (let i = first; i < end; i++) {
      if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
      frames++;
      if (!lost) at += this.#view.getUint32(at + 4, true);
    }
    this.#committed = at;
    this.#end = at;
    this.#counters[lost ? DROPPED : CAPTURED]! += frames;
    if (!lost) this.#counters[BUFFERED]! += frames;
  }

  /**
   * Writes what is committed to the file. Blocks while the kernel copies it, never throws.
   *
   * @hot one system call, none when there is nothing to write
   */
  write(): void {
    const len = this.#committed;
    if (len === 0 || this.#failure !== undefined) return;
    const written = libc.write(this.#fd.fd, this.#bytes, len);
    if (written === len) this.#counters[WRITTEN_LEN]! += len;
    else this.#finish(this.#bytes, len, written);
    if (this.#failure !== undefined) return;
    this.#counters[BUFFERED] = 0;
    this.#bytes.copyWithin(0, len, this.#end);
    this.#end -= len;
    this.#committed = 0;
  }

  /** Writes the rest and how many frames there were, and closes the file. Idempotent. */
  close(): void {
    if (this.#fd.closed) return;
    this.write();
    this.#clock.stamp();
    const { captured, dropped } = this;
    const block = pcapngStatistics({
      received: captured + dropped,
      dropped,
      wallTime: this.#clock.time,
    });
    // On a full disk there may be room for as much; whole or not at all.
    if (libc.write(this.#fd.fd, block, block.length) !== block.length) this.#cut();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #copyPieces(
    burst: Burst,
    at: number,
    last: number,
    regions: readonly Region[],
    to: number,
    len: number,
  ): void {
    let done = 0;
    for (let i = at; i <= last; i++) {
      const piece = Math.min(burst.len[i]!, len - done);
      copyBytes(regions[burst.region[i]!]!.view, burst.addr[i]!, this.#view, to + done, piece);
      done += piece;
    }
  }

  #copyTagged(
    burst: Burst,
    at: number,
    last: number,
    regions: readonly Region[],
    to: number,
    len: number,
  ): void {
    // As it was on the wire: behind the addresses. What kind of tag it was is not known; nearly all are of this one.
    copyBytes(regions[burst.region[at]!]!.view, burst.addr[at]!, this.#view, to, MACS_LEN);
    this.#view.setUint16(to + MACS_LEN, TAG_PROTOCOL);
    this.#view.setUint16(to + MACS_LEN + 2, burst.vlan[at]!);
    let done = MACS_LEN + TAG_LEN;
    let skip = MACS_LEN;
    for (let i = at; i <= last; i++) {
      const piece = Math.min(burst.len[i]! - skip, len - done);
      copyBytes(regions[burst.region[i]!]!.view, burst.addr[i]! + skip, this.#view, to + done, piece);
      done += piece;
      skip = 0;
    }
  }

  /** Goes on where a write(2) was cut short, or gives up where it failed. @param written - what it returned */
  #finish(bytes: Uint8Array<ArrayBuffer>, len: number, written: number): void {
    let done = Math.max(0, written);
    let failed = written < 0 && libc.errno() !== EINTR;
    while (done < len && !failed) {
      const result = libc.write(this.#fd.fd, bytes.subarray(done, len), len - done);
      failed = result < 0 && libc.errno() !== EINTR;
      done += Math.max(0, result);
    }
    if (failed) this.#giveUp();
    else this.#counters[WRITTEN_LEN]! += len;
  }

  /** Ends capturing: what the buffer holds is lost, and what was written of it goes, as it may end inside a block. */
  #giveUp(): void {
    this.#failure = new SystemError('Cannot write capture', { syscall: 'write', subject: this.path });
    this.#cut();
    const counters = this.#counters;
    counters[DROPPED]! += counters[BUFFERED]!;
    counters[CAPTURED]! -= counters[BUFFERED]!;
    counters[BUFFERED] = 0;
    this.#committed = 0;
    this.#end = 0;
  }

  /** Takes off the file what is no whole block. What has no length, as a pipe, keeps it. */
  #cut(): void {
    libc.ftruncate(this.#fd.fd, this.#counters[WRITTEN_LEN]!);
  }
}

function atLeast(min: number, value: number, what: string): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new RangeError(`${what} must be at least ${min} bytes, got ${value}`);
}
