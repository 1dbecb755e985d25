import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import { CLOCK_MONOTONIC, O_CLOEXEC, O_NONBLOCK } from './uapi/index.ts';

const NS_PER_S = 1e9;

/** A timer of the kernel: a descriptor that becomes readable once the time has come. */
export class TimerFd implements Disposable {
  readonly #fd: Fd;
  /** interval s, interval ns, first s, first ns: all small, so that the high words stay zero */
  readonly #value = new Uint32Array(8);
  readonly #expirations = new Uint32Array(2);

  /** @param what - for leak reports: `retry of /run/m` */
  constructor(what: string) {
    // TFD_NONBLOCK and TFD_CLOEXEC are these by definition.
    const number = libc.timerfdCreate(CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC);
    this.#fd = new Fd(check(number, 'Cannot create timer', 'timerfd_create', what), `timer ${what}`);
  }

  /** Readable from when the time has come until {@link TimerFd.drain} or {@link TimerFd.arm}. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Sets the one time at which it goes off, in place of an earlier one. @param afterNs - from now; at least 1 */
  arm(afterNs: number): void {
    this.#set(Math.max(1, Math.round(afterNs)));
  }

  /** Has it not go off. */
  disarm(): void {
    this.#set(0);
  }

  /** Takes note that it went off; afterwards the descriptor is not readable. Never blocks. */
  drain(): boolean {
    return libc.read(this.#fd.fd, this.#expirations, 8) === 8;
  }

  /** Closes the descriptor. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #set(afterNs: number): void {
    this.#value[4] = Math.floor(afterNs / NS_PER_S);
    this.#value[6] = afterNs % NS_PER_S;
    check(libc.timerfdSettime(this.#fd.fd, 0, this.#value, null), 'Cannot arm timer', 'timerfd_settime');
  }
}
