/**
 * Equal records of int32 words in one array, taken and given back without allocation.
 *
 * A record is known by the offset of its first word; -1 stands for none. Memory that was never taken is never touched,
 * so the system backs a large slab with pages only as it fills.
 */
export class Slab {
  /** All records; index it with a record plus a word of its layout. */
  readonly words: Int32Array;
  /** Records that fit. */
  readonly capacity: number;
  readonly #stride: number;
  #count = 0;
  /** Head of the chain of records given back, linked through their first words; -1 when empty. */
  #free = -1;
  /** The first record never taken. */
  #fresh = 0;

  /**
   * @param capacity - records, at least 1
   * @param stride - size of a record [words]
   */
  constructor(capacity: number, stride: number) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * stride);
    this.#stride = stride;
  }

  /** Records taken and not given back. @hot */
  get count(): number {
    return this.#count;
  }

  /** Whether the next {@link take} would find nothing. @hot */
  get full(): boolean {
    return this.#count === this.capacity;
  }

  /**
   * Takes a record; its words hold whatever they held.
   *
   * @returns its offset; -1 when the slab is full
   * @hot
   */
  take(): number {
    if (this.full) return -1;
    this.#count++;
    const record = this.#free;
    if (record < 0) {
      this.#fresh += this.#stride;
      return this.#fresh - this.#stride;
    }
    this.#free = this.words[record]!;
    return record;
  }

  /** Gives a taken record back; its first word is lost at once. @hot */
  give(record: number): void {
    this.words[record] = this.#free;
    this.#free = record;
    this.#count--;
  }

  /** Throws an Error unless every record is either taken or free. For tests: it walks the free records. */
  audit(): void {
    let free = 0;
    for (let record = this.#free; record >= 0; record = this.words[record]!) {
      if (record % this.#stride !== 0 || record >= this.#fresh)
        throw new Error(`Free record ${record} is none`);
      if (++free > this.capacity) throw new Error('The chain of free records has no end');
    }
    const used = this.#fresh / this.#stride;
    if (used - free !== this.#count)
      throw new Error(`${used} records used, ${free} free, but count is ${this.#count}`);
  }
}
