/**
 * Anything a lane drives: a port, a source, a server, a stack, a set of timers.
 *
 * A lane that may sleep walks all its pollables in this order, and no other order is free of lost wake-ups:
 *
 * ```text
 * poll(budget) … until all return 0
 * arm()                  of each; one false → back to poll
 * poll(2) over all fds   plus the lane's stop eventfd, with a time limit
 * ```
 *
 * Work that arrives before `arm` is seen by `arm`; work that arrives after it makes an fd readable.
 */
export interface Pollable {
  /**
   * Does at most `budget` units of work, never blocks and never throws for what a peer sent.
   *
   * @param budget - most work to do, in the pollable's own unit, usually frames
   * @returns work done; 0 when there was none
   * @hot
   */
  poll(budget: number): number;

  /** File descriptors that become readable when there is work, once armed; constant while open, empty for memory. */
  readonly fds: readonly number[];

  /**
   * Asks for a wake-up through {@link fds}, then looks for work once more.
   *
   * @returns true when it is safe to sleep; false when work is already there, or when nothing could wake the sleeper
   */
  arm(): boolean;
}
