import { constants } from 'node:os';
import { addressOf, libc } from '../ffi/index.ts';
import { POLLIN, pollfd } from './uapi/index.ts';

const { EINTR } = constants.errno;
const WORDS = pollfd.sizeof / 4;

/**
 * A fixed set of descriptors to sleep on: poll(2) without allocation.
 *
 * It owns none of them.
 */
export class PollSet {
  /** descriptors in the set */
  readonly count: number;
  /** of each: the descriptor, then events (low half) and revents (high half) */
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #ptr: number;

  /** @param events - what to wait for, `POLLIN` when absent; errors and hang-ups are always waited for */
  constructor(fds: readonly number[], events: number = POLLIN) {
    this.count = fds.length;
    this.#words = new Int32Array(Math.max(1, fds.length) * WORDS);
    for (const [i, fd] of fds.entries()) {
      this.#words[i * WORDS] = fd;
      this.#words[i * WORDS + 1] = events;
    }
    this.#ptr = addressOf(this.#words);
  }

  /**
   * Sleeps until a descriptor is ready.
   *
   * @param timeoutMs - longest sleep, 0 to look only, -1 for ever [milliseconds]
   * @returns descriptors that are ready; 0 when the time has passed or a signal came; a negative errno
   * @hot
   * @source poll(2)
   */
  wait(timeoutMs: number): number {
    const ready = libc.pollPtr(this.#ptr, this.count, timeoutMs);
    if (ready >= 0) return ready;
    const errno = libc.errno();
    if (errno !== EINTR) return -errno;
    for (let i = 0; i < this.count; i++) this.#words[i * WORDS + 1]! &= 0xffff;
    return 0;
  }

  /**
   * Returns what the last {@link PollSet.wait} saw on a descriptor: `POLLIN`, `POLLERR`, …; 0 for nothing.
   *
   * @param index - place in the set
   * @hot
   */
  ready(index: number): number {
    return this.#words[index * WORDS + 1]! >>> 16;
  }
}
