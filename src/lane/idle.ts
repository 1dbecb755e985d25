import { libc } from '../ffi/index.ts';

/** What {@link IdleStrategy.wait} did. */
export const Idled = {
  /** kept the core, or gave it up for an instant only */
  spun: 0,
  /** slept until the time limit */
  slept: 1,
  /** slept until a file descriptor ended it */
  woken: 2,
} as const;

/** One of the values of {@link Idled}. */
export type Idled = (typeof Idled)[keyof typeof Idled];

/**
 * What a lane does after a pass in which no pollable had work.
 *
 * One strategy serves one thread: it may keep state about how long that thread has been idle.
 */
export interface IdleStrategy {
  /** Passes the time, for {@link MAX_SLEEP_MS} at most. */
  wait(): Idled;
  /** There was work again. */
  reset(): void;
}

/** Longest sleep of a lane: a thread in an endless system call could never be stopped. [ms] */
export const MAX_SLEEP_MS = 50;

/** Polls again at once: shortest reaction, the whole core. For a core that nothing else wants. */
export class BusySpin implements IdleStrategy {
  /** Returns at once. @hot */
  wait(): Idled {
    return Idled.spun;
  }

  /** Does nothing. @hot */
  reset(): void {}
}

/**
 * Lets any other thread that waits for the core run first, then polls again.
 *
 * The whole core when nobody else wants it, a fair share when somebody does; then the reaction takes as long as the
 * others run, some milliseconds.
 *
 * measured: 0.8 us a call when nobody waits.
 *
 * @source sched_yield(2)
 */
export class Yield implements IdleStrategy {
  /** Yields once. */
  wait(): Idled {
    libc.schedYield();
    return Idled.spun;
  }

  /** Does nothing. */
  reset(): void {}
}

const SPINS = 100;
const YIELDS = 20;
const MIN_SLEEP_NS = 1_000;
const MAX_SLEEP_NS = 1_000_000;

/**
 * Spins for 100 passes, yields for 20, then sleeps 1 us, 2 us, 4 us, … up to 1 ms, until there is work.
 *
 * Under load it is {@link BusySpin}; after a quiet while it takes about 3 % of a core, and the first frame
 * waits up to 1 ms. Needs no fd, so it suits any pollable.
 *
 * @source nanosleep(2)
 */
export class Backoff implements IdleStrategy {
  #passes = 0;
  #sleepNs = MIN_SLEEP_NS;
  /** struct timespec; the upper halves stay 0 */
  readonly #request = new Uint32Array(4);

  /** Spins, yields or sleeps, by how many idle passes went before. */
  wait(): Idled {
    if (this.#passes < SPINS + YIELDS) {
      if (++this.#passes > SPINS) libc.schedYield();
      return Idled.spun;
    }
    this.#request[2] = this.#sleepNs;
    libc.nanosleep(this.#request, null);
    this.#sleepNs = Math.min(2 * this.#sleepNs, MAX_SLEEP_NS);
    return Idled.slept;
  }

  /** Begins with spinning again. */
  reset(): void {
    this.#passes = 0;
    this.#sleepNs = MIN_SLEEP_NS;
  }
}
