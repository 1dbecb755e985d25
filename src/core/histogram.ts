// Log-linear buckets: below 2^8 one value each, above it every power of two is cut into 128 equal buckets. The bits
// of a value v from 2^(s+7) to 2^(s+8) - 1 say which bucket it is in:
//
//   v       = 0 … 0 1 x x x x x x x y … y        7 bits x, s bits y that do not count
//   bucket  = (s << 7) + (v >>> s)               v < 2^8 has s = 0, hence bucket v
//
// The memory, all f64 but the first line; f64 because a u32 bucket would overflow after five minutes at 14 Mpps:
//
//   byte  0         4         8                   16
//         +---------+---------+---------+---------+
//     0   |  magic  | version | buckets |  zero   |
//         +---------+---------+---------+---------+
//    16   |        sum        |        min        |
//    32   |        max        |       above       |
//    48   |       below       |       last        |
//         +-------------------+-------------------+
//    64   |  bucket 0  |  bucket 1  |  …          |
//         +---------------------------------------+
const SUB_BITS = 7;
const TOP_BITS = 37;
const BUCKETS = (TOP_BITS - SUB_BITS + 1) << SUB_BITS;
const HEADER = 64;
const MAGIC = 0x53484257; // "WBHS" in memory
const VERSION = 1;

const SUM = 0;
const MIN = 1;
const MAX = 2;
const ABOVE = 3;
const BELOW = 4;
const LAST = 5;

// Values from 2^31 on lose their lowest 6 bits first, so that integer instructions do for them too. At least 25 bits
// are left, of which the bucket needs 8.
const INT_LIMIT = 2 ** 31;
const WIDE_SHIFT = TOP_BITS - 31;
const WIDE_SCALE = 2 ** -WIDE_SHIFT;
const WIDE_BUCKETS = WIDE_SHIFT << SUB_BITS;
const LIMIT = 2 ** TOP_BITS;

/**
 * How often which latency occurred: 1 ns to 137 s at a fixed error below 0.8 %, in 31 KiB that may be shared memory.
 *
 * One thread records; any thread or process reads at the same time, without a lock. A reader sees each bucket whole
 * (aligned 8-byte stores do not tear on x86-64 and arm64) but not all of them at one instant, which no statistic
 * needs. The number of values is not stored but summed, so percentiles always agree with the buckets they are from.
 *
 * Values are whole nanoseconds; fractions are cut off. It keeps minimum, maximum and sum exactly.
 */
export class Histogram {
  /** Memory that a histogram takes [bytes]. */
  static readonly SIZE: number = HEADER + BUCKETS * 8;

  /** The largest value it tells apart, 2^37 - 1 or 137 s [ns]. */
  static readonly MAX_NS: number = LIMIT - 1;

  readonly #head: Float64Array;
  readonly #buckets: Float64Array;

  private constructor(buffer: ArrayBufferLike, offset: number) {
    this.#head = new Float64Array(buffer, offset + 16, (HEADER - 16) / 8);
    this.#buckets = new Float64Array(buffer, offset + HEADER, BUCKETS);
  }

  /**
   * Makes {@link Histogram.SIZE} bytes at `offset` an empty histogram, or allocates private memory when given none.
   *
   * @param offset - where it starts, a multiple of 8 [bytes]
   * @throws RangeError when the offset is unaligned or the memory too small
   */
  static create(buffer: ArrayBufferLike = new ArrayBuffer(Histogram.SIZE), offset: number = 0): Histogram {
    checkPlace(buffer, offset);
    const histogram = new Histogram(buffer, offset);
    histogram.clear();
    const header = new Int32Array(buffer, offset, 4);
    header[1] = VERSION;
    header[2] = BUCKETS;
    Atomics.store(header, 0, MAGIC); // last: who sees the magic sees the rest
    return histogram;
  }

  /**
   * Opens the histogram that another thread or process has created at `offset`; writes nothing, so the memory may be
   * read-only.
   *
   * @param offset - where it starts, a multiple of 8 [bytes]
   * @throws RangeError when the offset is unaligned or the memory too small
   * @throws Error when the memory holds no histogram of this version; it says what is wrong
   */
  static open(buffer: ArrayBufferLike, offset: number = 0): Histogram {
    checkPlace(buffer, offset);
    const header = new Int32Array(buffer, offset, 4);
    const magic = Atomics.load(header, 0);
    if (magic !== MAGIC || header[1] !== VERSION || header[2] !== BUCKETS) {
      const wanted = `0x${MAGIC.toString(16)}, ${VERSION}, ${BUCKETS}`;
      const got = `0x${(magic >>> 0).toString(16)}, ${header[1]}, ${header[2]}`;
      throw new Error(
        `Cannot open a histogram at offset ${offset}: magic, version, buckets must be ${wanted}, got ${got}`,
      );
    }
    return new Histogram(buffer, offset);
  }

  /**
   * Counts one value.
   *
   * One above {@link Histogram.MAX_NS}, or NaN, counts as the largest and in {@link above}; a negative one, as two
   * clocks that disagree produce, counts as 0 and in {@link below}.
   *
   * @param valueNs - the value [ns]
   * @hot
   */
  record(valueNs: number): void {
    // NB: a double handed to a function that is not inlined is boxed, hence this is short and the rest reads memory.
    this.#head[LAST] = valueNs;
    this.#recordLast();
  }

  #recordLast(): void {
    const head = this.#head;
    let value = head[LAST]!;
    let bucket = 0;
    if (value < INT_LIMIT) {
      if (value < 0) {
        head[BELOW]!++;
        value = 0;
      }
      bucket = bucketOf(value | 0);
    } else {
      if (!(value < LIMIT)) {
        head[ABOVE]!++;
        value = LIMIT - 1;
      }
      bucket = WIDE_BUCKETS + bucketOf((value * WIDE_SCALE) | 0);
    }
    this.#buckets[bucket]!++;
    head[SUM]! += value;
    if (value < head[MIN]!) head[MIN] = value;
    if (value > head[MAX]!) head[MAX] = value;
  }

  /** Values recorded, those outside the range included. */
  get count(): number {
    let count = 0;
    for (let i = 0; i < BUCKETS; i++) count += this.#buckets[i]!;
    return count;
  }

  /** Values that were above the range, or NaN. */
  get above(): number {
    return this.#head[ABOVE]!;
  }

  /** Values that were negative. */
  get below(): number {
    return this.#head[BELOW]!;
  }

  /** The smallest value [ns]; NaN when there is none. */
  get min(): number {
    return this.#head[MIN] === Infinity ? NaN : this.#head[MIN]!;
  }

  /** The largest value, at most {@link Histogram.MAX_NS} [ns]; NaN when there is none. */
  get max(): number {
    return this.#head[MAX] === -Infinity ? NaN : this.#head[MAX]!;
  }

  /** The value recorded last, as it was given [ns]; 0 when there is none. */
  get last(): number {
    return this.#head[LAST]!;
  }

  /** The arithmetic mean [ns]; NaN when there is no value. */
  get mean(): number {
    return this.#head[SUM]! / this.count;
  }

  /**
   * The value that `p` percent of all values do not exceed, never below the exact one and at most 1/128 above it.
   *
   * @param p - 0 (the minimum) to 100 (the maximum) [percent]
   * @returns the percentile [ns]; NaN when there is no value
   * @throws RangeError when `p` is outside 0 to 100
   */
  percentile(p: number): number {
    if (!(p >= 0 && p <= 100)) {
      throw new RangeError(`Cannot compute a percentile: p must be 0 to 100, got ${p}`);
    }
    const count = this.count;
    if (count === 0) return NaN;
    if (p === 0) return this.min;
    const rank = Math.ceil((p * count) / 100);
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#buckets[i]!;
      if (seen >= rank) return Math.min(highestIn(i), this.max);
    }
    return this.max; // cleared by its writer while we were counting
  }

  /** Adds every value of `other`, such as that of another lane. */
  merge(other: Histogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#buckets[i]! += other.#buckets[i]!;
    this.#head[SUM]! += other.#head[SUM]!;
    this.#head[ABOVE]! += other.#head[ABOVE]!;
    this.#head[BELOW]! += other.#head[BELOW]!;
    this.#head[MIN] = Math.min(this.#head[MIN]!, other.#head[MIN]!);
    this.#head[MAX] = Math.max(this.#head[MAX]!, other.#head[MAX]!);
  }

  /** Forgets every value; for the recording thread only. */
  clear(): void {
    this.#head.fill(0);
    this.#buckets.fill(0);
    this.#head[MIN] = Infinity;
    this.#head[MAX] = -Infinity;
  }

  /** A private copy that no longer changes, for several statistics of the same values. */
  snapshot(): Histogram {
    const copy = Histogram.create();
    copy.merge(this);
    return copy;
  }
}

function bucketOf(value: number): number {
  const shift = 24 - Math.clz32(value | 128);
  return (shift << SUB_BITS) + (value >>> shift);
}

function highestIn(bucket: number): number {
  const shift = Math.max(0, (bucket >>> SUB_BITS) - 1);
  return (bucket - (shift << SUB_BITS) + 1) * 2 ** shift - 1;
}

function checkPlace(buffer: ArrayBufferLike, offset: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && offset % 8 === 0)) {
    throw new RangeError(`Cannot place a histogram: offset must be a multiple of 8 bytes, got ${offset}`);
  }
  if (offset + Histogram.SIZE > buffer.byteLength) {
    const room = buffer.byteLength - offset;
    throw new RangeError(
      `Cannot place a histogram: it needs ${Histogram.SIZE} bytes from offset ${offset}, got ${room}`,
    );
  }
}
