import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { type Fd, MappedFile, MappedRegion } from '../sys/index.ts';
import {
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAKEUP,
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
  io_cqring_offsets,
  io_sqring_offsets,
  io_uring_cqe,
  io_uring_getevents_arg,
  io_uring_params,
  io_uring_sqe,
  SYS_io_uring_enter,
} from '../sys/uapi/index.ts';
import { makeRing, type TaskRun, type UringSetup } from './setup.ts';

/** Words of an entry of the submission ring. */
export const SQE_WORDS: number = io_uring_sqe.sizeof / 4;
/** Words of a completion: user data low and high, result, flags. */
export const CQE_WORDS: number = io_uring_cqe.sizeof / 4;

/** What only entering the kernel brings: completions that did not fit, and work that was put off. */
const PENDING = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;
const { EBUSY, EINTR, ETIME } = constants.errno;

const TIMESPEC = 32;
const TWO_32 = 2 ** 32;

/**
 * An io_uring: operations in, completions out, through two rings that the kernel and this thread share.
 *
 * ```text
 * at = ring.next() → write sqes[at …]  … submit()      one system call for all
 * count = ring.peek() → read cqes[slot(i) …] → release(count)
 * ```
 *
 * One thread drives it, the one that made it. Memory that an operation names must live until it is completed.
 *
 * @source linux/io_uring.h; io_uring(7)
 * @since Linux 5.18; with deferred work 6.1
 */
export class Uring implements Disposable {
  /** when completions are worked on */
  readonly taskRun: TaskRun;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  /** slots of the submission ring */
  readonly entries: number;
  /** slots of the completion ring */
  readonly completions: number;
  /** the submission entries, {@link SQE_WORDS} each */
  readonly sqes: Uint32Array;
  /** the completions, {@link CQE_WORDS} each; a result is read as int32 */
  readonly cqes: Int32Array;
  readonly #fd: Fd;
  readonly #rings: MappedFile;
  readonly #entries: MappedFile;
  readonly #arguments: MappedRegion;
  readonly #argumentView: DataView;
  readonly #words: Int32Array;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqOverflow: number;
  readonly #deferred: boolean;
  readonly #polled: boolean;
  /** entries written, entries shown to the kernel, completions released */
  #tail = 0;
  #shown = 0;
  #head = 0;

  /** Sets the ring up. @throws what the set-up throws: UnsupportedError, SystemError EPERM, RangeError */
  constructor(setup: UringSetup = {}) {
    const made = makeRing(setup);
    using cleanup = new DisposableStack();
    this.#fd = cleanup.use(made.fd);
    const field = (at: number): number => made.params.getUint32(at, true);
    const sq = (name: keyof typeof io_sqring_offsets): number =>
      field(io_uring_params.sq_off + io_sqring_offsets[name]);
    const cq = (name: keyof typeof io_cqring_offsets): number =>
      field(io_uring_params.cq_off + io_cqring_offsets[name]);
    this.taskRun = made.taskRun;
    this.reasons = made.reasons;
    this.entries = field(io_uring_params.sq_entries);
    this.completions = field(io_uring_params.cq_entries);
    const { fd } = this.#fd;
    const len = Math.max(sq('array') + this.entries * 4, cq('cqes') + this.completions * io_uring_cqe.sizeof);
    this.#rings = cleanup.use(new MappedFile(fd, len, IORING_OFF_SQ_RING, 'io_uring rings'));
    const sqesLen = this.entries * io_uring_sqe.sizeof;
    this.#entries = cleanup.use(new MappedFile(fd, sqesLen, IORING_OFF_SQES, 'io_uring entries'));
    this.#arguments = cleanup.use(new MappedRegion({ len: 4096, what: 'io_uring arguments' }));
    this.#argumentView = new DataView(this.#arguments.buffer);
    this.#words = new Int32Array(this.#rings.buffer, 0, len >>> 2);
    this.sqes = new Uint32Array(this.#entries.buffer);
    this.cqes = new Int32Array(this.#rings.buffer, cq('cqes'), this.completions * CQE_WORDS);
    this.#sqHead = sq('head') >>> 2;
    this.#sqTail = sq('tail') >>> 2;
    this.#sqFlags = sq('flags') >>> 2;
    this.#cqHead = cq('head') >>> 2;
    this.#cqTail = cq('tail') >>> 2;
    this.#cqOverflow = cq('overflow') >>> 2;
    this.#deferred = made.taskRun === 'deferred';
    this.#polled = (field(io_uring_params.flags) & IORING_SETUP_SQPOLL) !== 0;
    // Slot i of the ring is entry i, for ever.
    for (let i = 0; i < this.entries; i++) this.#words[(sq('array') >>> 2) + i] = i;
    cleanup.move();
  }

  /** The ring's descriptor, for registrations and poll(2). */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Completions that the kernel could not place and keeps; they come with {@link Uring.submit}. [since set-up] */
  get overflows(): number {
    return Atomics.load(this.#words, this.#cqOverflow) >>> 0;
  }

  /** Entries that were written and not submitted yet. @hot */
  get unsubmitted(): number {
    return (this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0;
  }

  /**
   * Takes the next entry, all zeros, to be written before {@link Uring.submit}.
   *
   * @returns index of its first word in {@link Uring.sqes}; -1 when the ring is full: submit first
   * @hot an acquire load
   */
  next(): number {
    if (((this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0) >= this.entries) return -1;
    const at = (this.#tail & (this.entries - 1)) * SQE_WORDS;
    const sqes = this.sqes;
    for (let i = 0; i < SQE_WORDS; i++) sqes[at + i] = 0;
    this.#tail = (this.#tail + 1) | 0;
    return at;
  }

  /**
   * Submits what was written, and does the work that was put off: afterwards its completions can be peeked.
   *
   * @returns entries that the kernel took, or a negative errno
   * @hot one system call, or none when there is nothing to do
   */
  submit(): number {
    const flags = Atomics.load(this.#words, this.#sqFlags);
    const count = this.#show();
    if (this.#polled) {
      const wake = (flags & IORING_SQ_NEED_WAKEUP) !== 0 ? IORING_ENTER_SQ_WAKEUP : 0;
      const events = (flags & PENDING) !== 0 ? IORING_ENTER_GETEVENTS : 0;
      if ((wake | events) === 0) return count;
      const entered = this.#enter(count, 0, wake | events, 0, 0);
      return entered < 0 ? entered : count;
    }
    if (count === 0 && (flags & PENDING) === 0) return 0;
    // With deferred work nothing is completed but in here.
    const events = this.#deferred || (flags & PENDING) !== 0 ? IORING_ENTER_GETEVENTS : 0;
    return this.#enter(count, 0, events, 0, 0);
  }

  /**
   * Submits what was written and waits until `count` completions are there, or the time is over.
   *
   * @param timeoutNs - at most so long; negative for ever [ns]
   * @returns completions that can be peeked, or a negative errno: -EINTR when a signal came first
   * @hot one system call
   */
  submitAndWait(count: number, timeoutNs: number): number {
    const shown = this.#show();
    const available = this.peek();
    if (shown === 0 && available >= count) return available;
    let flags = IORING_ENTER_GETEVENTS;
    let argument = 0;
    let len = 0;
    if (timeoutNs >= 0) {
      this.#writeTimeout(timeoutNs);
      flags |= IORING_ENTER_EXT_ARG;
      argument = this.#arguments.ptr;
      len = io_uring_getevents_arg.sizeof;
    }
    const entered = this.#enter(shown, count, flags, argument, len);
    if (entered < 0 && entered !== -ETIME && entered !== -EINTR) return entered;
    return entered === -EINTR && this.peek() === 0 ? -EINTR : this.peek();
  }

  /** Tells how many completions can be read. @hot an acquire load */
  peek(): number {
    return (Atomics.load(this.#words, this.#cqTail) - this.#head) | 0;
  }

  /** Index of the first word of completion `i`, 0 to {@link Uring.peek} - 1, in {@link Uring.cqes}. @hot */
  slot(i: number): number {
    return ((this.#head + i) & (this.completions - 1)) * CQE_WORDS;
  }

  /** Gives the first `count` completions back to the kernel. @hot one release store */
  release(count: number): void {
    this.#head = (this.#head + count) | 0;
    Atomics.store(this.#words, this.#cqHead, this.#head);
  }

  /** Closes the ring: the kernel cancels what is under way. Idempotent. */
  close(): void {
    this.#arguments.close();
    this.#entries.close();
    this.#rings.close();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Shows the kernel what was written. @returns entries that it has not taken yet */
  #show(): number {
    if (this.#shown !== this.#tail) {
      this.#shown = this.#tail;
      Atomics.store(this.#words, this.#sqTail, this.#tail);
    }
    return (this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0;
  }

  #enter(submit: number, wait: number, flags: number, argument: number, len: number): number {
    const result = libc.syscall(SYS_io_uring_enter, this.#fd.fd, submit, wait, flags, argument, len);
    if (result >= 0) return result;
    const errno = libc.errno();
    return errno === EBUSY ? 0 : -errno;
  }

  #writeTimeout(timeoutNs: number): void {
    const view = this.#argumentView;
    const seconds = Math.floor(timeoutNs / 1e9);
    const at = this.#arguments.ptr + TIMESPEC;
    view.setUint32(io_uring_getevents_arg.ts, at >>> 0, true);
    view.setUint32(io_uring_getevents_arg.ts + 4, Math.floor(at / TWO_32), true);
    view.setUint32(TIMESPEC, seconds, true);
    view.setUint32(TIMESPEC + 8, timeoutNs - seconds * 1e9, true);
  }
}
