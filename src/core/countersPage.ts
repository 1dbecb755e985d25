import type { CounterSpec, CountersPageSpec } from './countersSpec.ts';
import { decodeCountersSpec, encodeCountersSpec } from './countersSpec.ts';
import { Histogram } from './histogram.ts';

// One page, of which only the values and the histograms ever change after create:
//
//   byte  0         4         8         12
//         +---------+---------+---------+---------+
//     0   |  magic  | version |  size   | textLen |   u32
//         +---------+---------+---------+---------+
//    16   | counters|histograms|       zero       |   u32
//         +---------+---------+---------+---------+
//    64   |  value 0  |  value 1  |  …            |   f64 each
//         +---------------------------------------+   next multiple of 64
//         |  histogram 0  |  histogram 1  | …     |   Histogram.SIZE each
//         +---------------------------------------+
//         |  the spec as JSON, UTF-8              |   textLen bytes
//         +---------------------------------------+   size, a multiple of 64
//
// The text comes last, so that everything before it lies where two small numbers say.
const HEADER = 64;
const LINE = 64;
const MAGIC = 0x50435742; // "BWCP" in memory
const VERSION = 1;

const SIZE = 2;
const TEXT_LEN = 3;
const COUNTERS = 4;
const HISTOGRAMS = 5;

/** One counter and its value at the time of reading. */
export interface CounterReading extends CounterSpec {
  /** The value, exact up to 2^53 [`unit`]. */
  readonly value: number;
}

/** One histogram of a page with what it measures. */
export interface HistogramReading {
  /** The dotted name, such as `wireToBook`. */
  readonly name: string;
  /** One sentence for whoever reads the dashboard. */
  readonly help: string;
  /** The live histogram, always in ns; take a `snapshot()` for several statistics of one moment. */
  readonly histogram: Histogram;
}

/**
 * A page of counters and histograms that says itself what they are, written by one thread and read by anybody.
 *
 * The writer adds with plain stores and never waits; a reader, in another process too, opens the same memory and
 * sees every value whole but not all at one instant. The names are in the page, so a dashboard needs no other
 * knowledge of the program that writes it, and one of another version can read it.
 */
export class CountersPage {
  /** What the page holds, as given to {@link create}. */
  readonly spec: CountersPageSpec;
  /** The values, in the order of `spec.counters`; the writer may add to them directly. */
  // NB: f64 and not u64: one instruction adds to it, no BigInt reads it, and an aligned one does not tear on x86-64
  // and arm64.
  readonly values: Float64Array;
  /** The histograms, in the order of `spec.histograms`. */
  readonly histograms: readonly Histogram[];

  private constructor(
    buffer: ArrayBufferLike,
    offset: number,
    spec: CountersPageSpec,
    place: (buffer: ArrayBufferLike, offset: number) => Histogram,
  ) {
    const { counters, histograms = [] } = spec;
    const first = offset + histogramsOffset(counters.length);
    this.spec = spec;
    this.values = new Float64Array(buffer, offset + HEADER, counters.length);
    this.histograms = histograms.map((_, i) => place(buffer, first + i * Histogram.SIZE));
  }

  /**
   * The memory that a page takes, a multiple of 64 so that pages can be laid end to end.
   *
   * @returns size [bytes]
   * @throws RangeError when the spec cannot be encoded, saying which name is wrong
   */
  static sizeOf(spec: CountersPageSpec): number {
    return pageSize(spec.counters.length, spec.histograms?.length ?? 0, encodeCountersSpec(spec).length);
  }

  /**
   * Makes `sizeOf(spec)` bytes at `offset` a page with all values 0, whatever they held before.
   *
   * @param offset - where the page starts, a multiple of 64 [bytes]
   * @throws RangeError as {@link sizeOf} does, or when the memory is too small or the offset unaligned
   */
  static create(buffer: ArrayBufferLike, offset: number, spec: CountersPageSpec): CountersPage {
    const text = encodeCountersSpec(spec);
    const counters = spec.counters.length;
    const histograms = spec.histograms?.length ?? 0;
    const size = pageSize(counters, histograms, text.length);
    checkPlace(buffer, offset, size);
    new Uint8Array(buffer, offset, size).fill(0);
    const page = new CountersPage(buffer, offset, spec, Histogram.create);
    new Uint8Array(buffer, offset + textOffset(counters, histograms), text.length).set(text);
    const header = new Int32Array(buffer, offset, HEADER / 4);
    header[1] = VERSION;
    header[SIZE] = size;
    header[TEXT_LEN] = text.length;
    header[COUNTERS] = counters;
    header[HISTOGRAMS] = histograms;
    Atomics.store(header, 0, MAGIC); // last: who sees the magic sees the rest
    return page;
  }

  /**
   * Opens the page that another thread or process has created at `offset`; writes nothing, so the memory may be
   * read-only, and trusts nothing that it reads.
   *
   * @param offset - where the page starts, a multiple of 64 [bytes]
   * @throws RangeError when the offset is unaligned or leaves no room for a header
   * @throws Error when the memory holds no page of this version, or a broken one; it says what is wrong, and `cause`
   *   carries the error behind it
   */
  static open(buffer: ArrayBufferLike, offset: number): CountersPage {
    checkPlace(buffer, offset, HEADER);
    try {
      return new CountersPage(buffer, offset, readSpec(buffer, offset), Histogram.open);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot open a counters page at offset ${offset}: ${reason}`, { cause });
    }
  }

  /**
   * Adds to a counter, or to a gauge.
   *
   * @param index - position in `spec.counters`, as {@link indexOf} finds it once
   * @param n - what to add [the counter's unit]
   * @hot one load and one store
   */
  add(index: number, n: number): void {
    this.values[index]! += n;
  }

  /**
   * The position of a counter, for {@link add} and {@link values}.
   *
   * @throws RangeError when the page has no counter of that name
   */
  indexOf(name: string): number {
    const index = this.spec.counters.findIndex((counter) => counter.name === name);
    if (index < 0) throw new RangeError(`Cannot find a counter named ${name} on this page`);
    return index;
  }

  /**
   * The live histogram of that name.
   *
   * @throws RangeError when the page has no histogram of that name
   */
  histogram(name: string): Histogram {
    const index = this.spec.histograms?.findIndex((histogram) => histogram.name === name) ?? -1;
    if (index < 0) throw new RangeError(`Cannot find a histogram named ${name} on this page`);
    return this.histograms[index]!;
  }

  /** Lists every counter with its value at this moment. */
  readCounters(): CounterReading[] {
    return this.spec.counters.map((counter, i) => ({ ...counter, value: this.values[i]! }));
  }

  /** Lists every histogram, live. */
  readHistograms(): HistogramReading[] {
    return (this.spec.histograms ?? []).map(({ name, help }, i) => ({
      name,
      help,
      histogram: this.histograms[i]!,
    }));
  }
}

function readSpec(buffer: ArrayBufferLike, offset: number): CountersPageSpec {
  const header = new Int32Array(buffer, offset, HEADER / 4);
  const magic = Atomics.load(header, 0);
  if (magic !== MAGIC) {
    throw new Error(`magic must be 0x${MAGIC.toString(16)}, got 0x${(magic >>> 0).toString(16)}`);
  }
  if (header[1] !== VERSION) throw new Error(`version must be ${VERSION}, got ${header[1]}`);

  // Each number is read once, and the memory has to hold what they add up to, before any of them is used.
  const counters = header[COUNTERS]! >>> 0;
  const histograms = header[HISTOGRAMS]! >>> 0;
  const textLen = header[TEXT_LEN]! >>> 0;
  const size = pageSize(counters, histograms, textLen);
  const room = buffer.byteLength - offset;
  if (header[SIZE]! >>> 0 !== size) throw new Error(`size must be ${size}, got ${header[SIZE]! >>> 0}`);
  if (size > room) throw new Error(`it takes ${size} bytes, got ${room}`);

  // slice copies, so nobody can change the text while it is parsed.
  const text = new Uint8Array(buffer, offset + textOffset(counters, histograms), textLen).slice();
  const spec = decodeCountersSpec(text);
  if (spec.counters.length !== counters || (spec.histograms?.length ?? 0) !== histograms) {
    const got = `${spec.counters.length} and ${spec.histograms?.length ?? 0}`;
    throw new Error(`the text must name ${counters} counters and ${histograms} histograms, got ${got}`);
  }
  return spec;
}

function histogramsOffset(counters: number): number {
  return HEADER + Math.ceil((counters * 8) / LINE) * LINE;
}

function textOffset(counters: number, histograms: number): number {
  return histogramsOffset(counters) + histograms * Histogram.SIZE;
}

function pageSize(counters: number, histograms: number, textLen: number): number {
  return Math.ceil((textOffset(counters, histograms) + textLen) / LINE) * LINE;
}

function checkPlace(buffer: ArrayBufferLike, offset: number, size: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && offset % LINE === 0)) {
    throw new RangeError(
      `Cannot place a counters page: offset must be a multiple of ${LINE} bytes, got ${offset}`,
    );
  }
  if (offset + size > buffer.byteLength) {
    const room = buffer.byteLength - offset;
    throw new RangeError(
      `Cannot place a counters page: it needs ${size} bytes from offset ${offset}, got ${room}`,
    );
  }
}
