import { addressOf, libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, EPOLLIN, O_CLOEXEC } from './uapi/index.ts';

// struct epoll_event is packed on x86-64 and nowhere else: u32 events, then u64 data.
const PACKED = process.arch === 'x64';
const EVENT_LEN = PACKED ? 12 : 16;
const DATA = PACKED ? 4 : 8;

/** Descriptors told of in one call; more are told of in the next. */
const MAX_EVENTS = 32;

/** How a descriptor is told of. */
export interface EpollAddOptions {
  /** once for each time that something arrives, instead of as long as something is there to read; default false */
  readonly edge?: boolean;
}

/**
 * A set of descriptors behind one descriptor, which is readable when any of them is: the set may change while somebody
 * sleeps on it.
 *
 * Each is added with a tag, one or more bits; the tags of those that are ready come back as one number. It owns none.
 */
export class Epoll implements Disposable {
  readonly #fd: Fd;
  readonly #event = new DataView(new ArrayBuffer(EVENT_LEN));
  readonly #events = new DataView(new ArrayBuffer(MAX_EVENTS * EVENT_LEN));
  readonly #ptr = addressOf(this.#events);

  /** @param what - for leak reports: `memif /run/m` */
  constructor(what: string) {
    // EPOLL_CLOEXEC is this by definition.
    const number = libc.epollCreate1(O_CLOEXEC);
    this.#fd = new Fd(check(number, 'Cannot create epoll', 'epoll_create1', what), `epoll ${what}`);
  }

  /** For poll(2), or for another set. */
  get fd(): number {
    return this.#fd.fd;
  }

  /**
   * Adds a descriptor, told of when it is readable, at its end, or broken.
   *
   * @param tag - bits by which {@link Epoll.wait} tells of it, 0 when it need not be told apart [u32]
   * @throws SystemError EEXIST when it is in the set, EPERM when it is of a kind that is always ready
   */
  add(fd: number, tag: number, { edge = false }: EpollAddOptions = {}): void {
    this.#event.setUint32(0, edge ? (EPOLLIN | EPOLLET) >>> 0 : EPOLLIN, true);
    this.#event.setUint32(DATA, tag, true);
    const result = libc.epollCtl(this.#fd.fd, EPOLL_CTL_ADD, fd, this.#event);
    check(result, 'Cannot watch descriptor', 'epoll_ctl(EPOLL_CTL_ADD)', `${fd}`);
  }

  /**
   * Takes a descriptor out of the set, if it is in it.
   *
   * NB: to be called before it is closed: the set holds on to the open file, which lives on where another process has
   * a descriptor of it, as both ends of an eventfd have.
   */
  remove(fd: number): void {
    libc.epollCtl(this.#fd.fd, EPOLL_CTL_DEL, fd, this.#event);
  }

  /**
   * Returns the tags of all descriptors that are ready, joined by `or`; 0 when there are none, or a signal came.
   *
   * @param timeoutMs - longest sleep, 0 to look only [milliseconds]
   * @source epoll_wait(2)
   */
  wait(timeoutMs: number): number {
    const count = libc.epollWaitPtr(this.#fd.fd, this.#ptr, MAX_EVENTS, timeoutMs);
    let tags = 0;
    for (let i = 0; i < count; i++) tags |= this.#events.getUint32(i * EVENT_LEN + DATA, true);
    return tags;
  }

  /** Closes the set. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
