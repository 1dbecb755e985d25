import type { Pollable } from '../../core/index.ts';

/** Passes between two looks at the clock while the lane is busy, less 1. */
const PASS_MASK = 63;

/**
 * Calls `report` at once and then every so often, for a lane whose thread has no timers while it polls.
 *
 * Looks at the clock every 64th pass, and in every pass after a sleep. It has no file descriptor of its own: it asks to be
 * polled with those of the loops, and no later than a lane sleeps, 50 ms.
 */
export class LoopReporter implements Pollable {
  readonly fds: readonly number[];
  readonly #intervalNs: number;
  readonly #nowNs: () => number;
  readonly #report: () => void;
  #nextNs: number;
  #passes = PASS_MASK;

  /** @param fds - those that the lane sleeps on anyway @param nowNs - the lane's clock */
  constructor(fds: readonly number[], intervalNs: number, nowNs: () => number, report: () => void) {
    this.fds = fds;
    this.#intervalNs = intervalNs;
    this.#nowNs = nowNs;
    this.#report = report;
    this.#nextNs = nowNs();
  }

  /** Reports when it is time. @returns 0: it is no work that would keep a lane awake */
  poll(_budget: number): number {
    this.#passes = (this.#passes + 1) & PASS_MASK;
    if (this.#passes !== 0) return 0;
    const now = this.#nowNs();
    if (now < this.#nextNs) return 0;
    this.#nextNs = now + this.#intervalNs;
    this.#report();
    return 0;
  }

  /** Has the next pass look at the clock. @returns true: it never keeps a lane awake */
  arm(): boolean {
    this.#passes = PASS_MASK;
    return true;
  }
}
