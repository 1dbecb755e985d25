/**
 * Lets several asynchronous jobs run one at a time and take turns, in the order in which they asked.
 *
 * A job works only between `await take()` and `give()`. Whoever gives the turn away and takes it again stands behind
 * all who waited: so the jobs go round and round.
 */
export class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn. */
  take(): Promise<void> {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    return Promise.resolve();
  }

  /** Ends the caller's turn; the one who has waited longest is next. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
