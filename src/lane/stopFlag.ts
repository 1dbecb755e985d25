const REQUESTED = 0;

/**
 * The request to stop a lane, in memory that its owner and its thread share.
 *
 * It reaches a lane that polls; one that sleeps is woken through an eventfd as well.
 */
export class StopFlag {
  /** Bytes of shared memory that a flag takes. [bytes] */
  static readonly SIZE: number = 4;
  /** whether this thread knows of the request: {@link StopFlag.check} and {@link StopFlag.request} set it */
  requested = false;
  readonly #shared: Int32Array;

  /** @param memory - {@link StopFlag.SIZE} zero bytes that both threads see */
  constructor(memory: SharedArrayBuffer) {
    this.#shared = new Int32Array(memory, 0, 1);
  }

  /** Asks the lane to stop. Idempotent, from either thread. */
  request(): void {
    this.requested = true;
    Atomics.store(this.#shared, REQUESTED, 1);
  }

  /**
   * Looks whether the other thread asked, and tells.
   *
   * @hot one atomic load; 12 to 25 ns
   */
  check(): boolean {
    if (Atomics.load(this.#shared, REQUESTED) !== 0) this.requested = true;
    return this.requested;
  }
}
