/** Reasons of peers kept apart. */
const MAX_PEER_REASONS = 16;

/** What a reason starts with whose words are the peer's. */
export const PEER_REASON = 'peer: ';

/** Counts by reason. Peers may make up theirs: beyond the first 16 they are `peer: other`. */
export class ReasonCounts {
  readonly #counts = new Map<string, number>();
  #peerReasons = 0;

  /** Counts one. */
  add(reason: string): void {
    const key = this.#keyOf(reason);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Returns a copy. */
  read(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  #keyOf(reason: string): string {
    if (!reason.startsWith(PEER_REASON) || this.#counts.has(reason)) return reason;
    if (this.#peerReasons === MAX_PEER_REASONS) return `${PEER_REASON}other`;
    this.#peerReasons++;
    return reason;
  }
}
