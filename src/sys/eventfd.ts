import { libc } from '../ffi/index.ts';
import { SystemError } from './error.ts';
import { Fd } from './fd.ts';
import { O_CLOEXEC, O_NONBLOCK } from './uapi/index.ts';

// NB: handed to the calls themselves, not by address: an array that only its address is left of gets collected, and the
// kernel would read what came after it.
const one = new Uint32Array([1, 0]);
const count = new Uint32Array(2);

/**
 * A counter in the kernel that wakes whoever polls it: the way to wake a lane that sleeps in poll(2).
 *
 * The thread that creates it owns the descriptor; others {@link EventFd.borrow} it by number while it is open.
 */
export class EventFd implements Disposable {
  /** -1 once closed, so that a number reused by the kernel is never hit */
  #fd: number;
  readonly #owner: Fd | undefined;

  private constructor(fd: number, owner: Fd | undefined) {
    this.#fd = fd;
    this.#owner = owner;
  }

  /** Opens an eventfd without signals. @param what - for leak reports: `stop of lane 2` */
  static create(what: string): EventFd {
    const fd = libc.eventfd(0, O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) throw new SystemError('Cannot create eventfd', { syscall: 'eventfd', subject: what });
    return new EventFd(fd, new Fd(fd, `eventfd ${what}`));
  }

  /** Uses the eventfd of another thread, which outlives this object. */
  static borrow(fd: number): EventFd {
    return new EventFd(fd, undefined);
  }

  /** Readable while signals are pending; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Adds a signal and wakes who polls. Never blocks.
   *
   * @hot
   * @source eventfd(2)
   */
  signal(): void {
    libc.write(this.#fd, one, 8);
  }

  /**
   * Takes the pending signals; afterwards the descriptor is not readable. Never blocks.
   *
   * @returns how many there were, 0 for none
   * @hot
   * @source eventfd(2)
   */
  drain(): number {
    return libc.read(this.#fd, count, 8) === 8 ? count[0]! : 0;
  }

  /** Closes the descriptor, unless it is borrowed. Idempotent. */
  close(): void {
    this.#fd = -1;
    this.#owner?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
