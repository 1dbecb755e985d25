/**
 * A small generator of random numbers that gives the same ones for the same seed, on every machine.
 *
 * sfc32 by C. Doty-Humphrey (PractRand): four words of state, no multiplication; good enough for faults, not for secrets.
 */
export class FaultRandom {
  readonly #state = new Int32Array(4);

  /** @param stream - generators of one seed with different streams have nothing in common */
  constructor(seed: number, stream: number) {
    this.#state.set([stream, seed, 0, 1]);
    // The first numbers still look like the seed.
    for (let i = 0; i < 16; i++) this.next();
  }

  /** Returns the next number: 30 bits, so that it never becomes an object. [0 to 2^30 - 1] @hot */
  next(): number {
    const state = this.#state;
    const b = state[1]!;
    const c = state[2]!;
    const sum = (((state[0]! + b) | 0) + state[3]!) | 0;
    state[3] = (state[3]! + 1) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 2;
  }

  /** Returns a number below `limit`, which is at most 2^22. [0 to limit - 1] @hot */
  below(limit: number): number {
    return this.next() % limit;
  }
}

/** What {@link FaultRandom.next} is below in `part` of all cases. [0 to 2^30] */
export function thresholdOf(part: number): number {
  return Math.round(part * 2 ** 30);
}
