import { extname } from 'node:path/posix';
import { Worker } from 'node:worker_threads';
import { SystemError } from './error.ts';
import { EventFd } from './eventfd.ts';
import type { FdWatch } from './watch.ts';

/** Places in the memory that a {@link ThreadWatch} and its helper share. */
export const WatchWord = { order: 0, polling: 1 } as const;

/** Values of {@link WatchWord}.order: what the helper is to do. */
export const WatchOrder = { rest: 0, watch: 1, end: 2, ended: 3 } as const;

/** What the helper of a {@link ThreadWatch} starts with. */
export interface WatchTask {
  readonly fds: readonly number[];
  /** eventfd that tells of a new order */
  readonly wakeFd: number;
  /** see {@link WatchWord} [int32s] */
  readonly words: Int32Array<SharedArrayBuffer>;
}

/**
 * {@link FdWatch} by a helper thread in poll(2), for where libuv cannot be reached.
 *
 * An order goes over by shared memory and an eventfd, the news comes back as a message. A thread and its heap for each
 * watch: some 5 MiB and 30 ms to start.
 */
export class ThreadWatch implements FdWatch {
  readonly via = 'thread' as const;
  readonly reason: string;
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #wake: EventFd;
  readonly #worker: Worker;
  #open = true;
  #armed = false;
  #keepsAlive = true;
  /** why the helper is gone */
  #failure: unknown;

  /** @throws SystemError when no eventfd is to be had, and what a {@link Worker} throws */
  constructor(fds: readonly number[], onReadable: () => void, reason: string) {
    this.reason = reason;
    this.#wake = EventFd.create(`watch of fd ${fds.join(', ')}`);
    const task: WatchTask = { fds, wakeFd: this.#wake.fd, words: this.#words };
    try {
      // No compiler rewrites the URL of a worker: its extension is the one that this module runs under.
      // The flags of this process are not for it either: with --input-type it would not start.
      const url = new URL(
        `./watchThreadWorker${extname(new URL(import.meta.url).pathname)}`,
        import.meta.url,
      );
      this.#worker = new Worker(url, { name: 'watch', workerData: task, execArgv: [] });
    } catch (error) {
      this.#wake.close();
      throw error;
    }
    const fire = (): void => {
      if (!this.#armed) return;
      this.#armed = false;
      this.#holdLoop();
      onReadable();
    };
    this.#worker.on('message', (errno: number) => {
      if (errno !== 0) this.#failure = failedPoll(errno, fds);
      fire();
    });
    // What else a thread ends with, such as a module that cannot be loaded.
    this.#worker.on('error', (error) => {
      this.#failure = error;
      fire();
    });
    this.#holdLoop();
  }

  /**
   * Orders the helper to watch. Without effect while armed or closed.
   *
   * @throws SystemError when poll(2) failed, and what else the helper ended with
   */
  arm(): void {
    if (!this.#open || this.#armed) return;
    if (this.#failure !== undefined) throw this.#failure;
    this.#armed = true;
    Atomics.store(this.#words, WatchWord.order, WatchOrder.watch);
    this.#wake.signal();
    this.#holdLoop();
  }

  /** Lets the process live while armed. Idempotent. */
  ref(): void {
    this.#keepsAlive = true;
    this.#holdLoop();
  }

  /** Lets the process end while armed. Idempotent. */
  unref(): void {
    this.#keepsAlive = false;
    this.#holdLoop();
  }

  /** Ends the helper, and waits until it has let go of the descriptors. Idempotent. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#armed = false;
    const { order, polling } = WatchWord;
    Atomics.store(this.#words, order, WatchOrder.end);
    // A helper that is still starting reads the order before it touches a descriptor. One that polls has to let go
    // first: the number of a closed descriptor may soon be another's, and a socket in use is not free to be bound anew.
    if (Atomics.load(this.#words, polling) === 1) {
      this.#wake.signal();
      Atomics.wait(this.#words, order, WatchOrder.end, 1_000);
    }
    this.#wake.close();
    this.#holdLoop();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #holdLoop(): void {
    if (this.#armed && this.#keepsAlive) this.#worker.ref();
    else this.#worker.unref();
  }
}

function failedPoll(errno: number, fds: readonly number[]): SystemError {
  const subject = `fd ${fds.slice(0, 8).join(', ')}${fds.length > 8 ? ', …' : ''}`;
  return new SystemError('Cannot watch', { syscall: 'poll', errno, subject });
}
