/** Reasons kept apart; peers may choose the words. */
const MAX_REASONS = 32;

/** Counts by reason, for reasons that a peer may have made up: beyond the first 32 they are `other`. */
export class ReasonCounts {
  readonly #counts = new Map<string, number>();

  /** Counts one. */
  add(reason: string): void {
    const known = this.#counts.has(reason) || this.#counts.size < MAX_REASONS;
    const key = known ? reason : 'other';
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Returns a copy. */
  read(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
