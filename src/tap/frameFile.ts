import { constants } from 'node:os';
import { type Burst, ChunkPool, FrameFlags } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { MappedRegion, PollSet, SystemError } from '../sys/index.ts';
import { iovec, POLLERR, POLLNVAL } from '../sys/uapi/index.ts';

const { EAGAIN, EINTR, EIO, ENOBUFS, ENOMEM } = constants.errno;
/** What the kernel answers for a tap whose interface is gone; Node's table lacks it. @source asm-generic/errno.h */
const EBADFD = 77;

const CHUNK_COUNT = 1024;
const MIN_CHUNK_LEN = 2048;
/** Most pieces of a frame to send. */
const MAX_PIECES = 64;
const IOVEC_WORDS = iovec.sizeof / 4;
const IOV_LEN_WORD = iovec.iov_len / 4;

/** Packet memory and descriptor of a {@link FrameFile}. */
export interface FrameFileSpec {
  /** non-blocking, with whole frames: one each read(2) and write(2). Stays its owner's */
  readonly fd: number;
  /** for messages: `tap0` */
  readonly what: string;
  /** longest frame to receive [bytes] */
  readonly maxFrameLen: number;
  /** default 1024 [chunks] */
  readonly chunkCount?: number | undefined;
  /** prove the owner of every chunk at every step; slow; default false */
  readonly debug?: boolean | undefined;
}

/** Indexes of the counters of a {@link FrameFile}. */
export const FrameCounter = {
  rxFrames: 0,
  rxBytes: 1,
  txFrames: 2,
  txBytes: 3,
  /** descriptors that tx() left with the caller */
  txRefused: 4,
  /** received frames that no chunk holds; lost */
  rxTooLong: 5,
  /** frames that the kernel refuses for good: shorter than a header, too many pieces; lost */
  txInvalid: 6,
  /** frames written while the interface was down; lost */
  linkDown: 7,
  /** read(2) and write(2), those that found nothing among them */
  calls: 8,
} as const;

/**
 * Chunks of packet memory, and a descriptor that frames are read from and written to, one each system call.
 *
 * A tap is such a descriptor; so is one end of a pair of SOCK_SEQPACKET sockets. What is written is copied at once: its
 * chunk is free again when tx() returns.
 */
export class FrameFile implements Disposable {
  /** the memory for reads of several bytes */
  readonly view: DataView;
  /** the memory as bytes */
  readonly bytes: Uint8Array;
  readonly pool: ChunkPool;
  /** see {@link FrameCounter} */
  readonly counters: Float64Array = new Float64Array(Object.keys(FrameCounter).length);
  readonly #fd: number;
  readonly #what: string;
  readonly #region: MappedRegion;
  readonly #iovecs: MappedRegion;
  readonly #words: Int32Array;
  /** low half of the memory's ptr; the high half is the same for all of it */
  readonly #ptrLow: number;
  readonly #poll: PollSet;
  /** what a call has shown to be wrong for good, 0 while all is well [errno] */
  #broken = 0;

  /** Maps the memory. @throws RangeError when there are to be no chunks, or too many; SystemError when no memory is to be had */
  constructor(spec: FrameFileSpec) {
    const { fd, what, maxFrameLen, chunkCount = CHUNK_COUNT, debug = false } = spec;
    // A byte more than the longest frame: a read that fills the chunk has cut one off.
    const chunkLen = Math.max(MIN_CHUNK_LEN, 2 ** Math.ceil(Math.log2(maxFrameLen + 1)));
    this.pool = new ChunkPool({ count: chunkCount, chunkLen, debug });
    this.#fd = fd;
    this.#what = what;
    this.#poll = new PollSet([fd]);
    using cleanup = new DisposableStack();
    this.#region = cleanup.use(new MappedRegion({ len: chunkCount * chunkLen, what: `frames of ${what}` }));
    this.#iovecs = new MappedRegion({ len: MAX_PIECES * iovec.sizeof, what: `pieces of ${what}` });
    cleanup.move();
    this.view = new DataView(this.#region.buffer);
    this.bytes = new Uint8Array(this.#region.buffer);
    this.#ptrLow = this.#region.ptr | 0;
    this.#words = new Int32Array(this.#iovecs.buffer);
    for (let i = 0; i < MAX_PIECES; i++) {
      this.#words[i * IOVEC_WORDS + 1] = Math.floor(this.#region.ptr / 2 ** 32);
    }
  }

  /**
   * Reads frames into free chunks until there are no more of either, or the burst is full.
   *
   * @throws SystemError once the descriptor is of no use any more
   * @hot one system call per frame, and one that finds nothing
   */
  rx(burst: Burst): number {
    const counters = this.counters;
    const pool = this.pool;
    const chunkLen = pool.chunkLen;
    let count = 0;
    let bytes = 0;
    let calls = 0;
    while (calls < burst.capacity) {
      const addr = pool.take();
      if (addr < 0) break;
      this.#words[0] = this.#ptrLow + addr;
      this.#words[IOV_LEN_WORD] = chunkLen;
      const len = libc.readvPtr(this.#fd, this.#iovecs.ptr, 1);
      calls++;
      if (len <= 0 || len === chunkLen) {
        pool.put(addr);
        if (len > 0) {
          counters[FrameCounter.rxTooLong]! += 1;
          continue;
        }
        if (len < 0) this.#note(libc.errno());
        break;
      }
      burst.addr[count] = addr;
      burst.len[count] = len;
      burst.region[count] = 0;
      burst.flags[count] = 0;
      bytes += len;
      count++;
    }
    burst.count = count;
    burst.clearMetadata(count);
    counters[FrameCounter.calls]! += calls;
    counters[FrameCounter.rxFrames]! += count;
    counters[FrameCounter.rxBytes]! += bytes;
    if (count === 0 && this.#broken !== 0) this.assertUsable();
    return count;
  }

  /** Takes free chunks. @hot */
  alloc(burst: Burst, count: number): number {
    return this.pool.allocInto(burst, count, 0, 0);
  }

  /**
   * Writes whole frames, up to the first that the kernel has no room for now.
   *
   * What the kernel refuses for good is lost, and counted.
   *
   * @hot one system call per frame
   */
  tx(burst: Burst): number {
    const counters = this.counters;
    const count = burst.count;
    let first = 0;
    let frames = 0;
    let bytes = 0;
    while (first < count && this.#broken === 0) {
      const end = this.#describeFrame(burst, first);
      if (end > count) break;
      let written = 0;
      if (end - first <= MAX_PIECES) {
        written = libc.writevPtr(this.#fd, this.#iovecs.ptr, end - first);
        counters[FrameCounter.calls]! += 1;
      }
      if (written > 0) {
        frames++;
        bytes += written;
      } else if (!this.#lose(written)) break;
      this.pool.putFrom(burst.addr, first, end - first);
      first = end;
    }
    counters[FrameCounter.txFrames]! += frames;
    counters[FrameCounter.txBytes]! += bytes;
    counters[FrameCounter.txRefused]! += count - first;
    return first;
  }

  /** Gives chunks back. @hot */
  recycle(burst: Burst): void {
    this.pool.putFrom(burst.addr, 0, burst.count);
    burst.count = 0;
  }

  /** Tells whether no frame is waiting to be read. @throws SystemError once the descriptor is of no use any more */
  arm(): boolean {
    // NB: looking takes nothing off the queue, so a frame that comes now wakes who sleeps afterwards.
    const ready = this.#poll.wait(0);
    if (ready > 0 && (this.#poll.ready(0) & (POLLERR | POLLNVAL)) !== 0) this.#broken = EBADFD;
    this.assertUsable();
    return ready === 0;
  }

  /** Throws what made the descriptor useless, if anything did. @throws SystemError */
  assertUsable(): void {
    if (this.#broken === 0) return;
    throw new SystemError('Cannot go on with tap interface', {
      syscall: 'readv(tap)',
      errno: this.#broken,
      subject: this.#what,
    });
  }

  /** Unmaps the memory. Idempotent. */
  close(): void {
    this.#region.close();
    this.#iovecs.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Writes the iovecs of the frame at `first`. @returns where the next one begins, beyond the burst for one that goes on there */
  #describeFrame(burst: Burst, first: number): number {
    const words = this.#words;
    let i = first;
    for (; i < burst.count; i++) {
      const at = (i - first) * IOVEC_WORDS;
      // Beyond the last iovec the store goes nowhere; the frame is refused for its pieces.
      words[at] = this.#ptrLow + burst.addr[i]!;
      words[at + IOV_LEN_WORD] = burst.len[i]!;
      if ((burst.flags[i]! & FrameFlags.continues) === 0) return i + 1;
    }
    return i + 1;
  }

  /** Says whether the frame that was not written is lost, and counts it. @param written - 0 for one that was not tried */
  #lose(written: number): boolean {
    const errno = written < 0 ? libc.errno() : 0;
    if (isTransient(errno)) return false;
    if (errno === EBADFD) {
      this.#broken = errno;
      return false;
    }
    this.counters[errno === EIO ? FrameCounter.linkDown : FrameCounter.txInvalid]! += 1;
    return true;
  }

  #note(errno: number): void {
    if (!isTransient(errno)) this.#broken = errno;
  }
}

function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM;
}
