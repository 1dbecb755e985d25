/** What a counter counts. */
export interface CounterSpec {
  /** Dotted name, unique on its page: letters, digits and underscores, such as `rx.dropped.badChecksum`. */
  readonly name: string;
  /** Unit of the value, such as `frames`, `bytes`, `ns`. */
  readonly unit: string;
  /** One sentence for whoever reads the dashboard. */
  readonly help: string;
  /** A `counter` only grows, a `gauge` goes up and down; `counter` by default. */
  readonly kind?: 'counter' | 'gauge';
}

/** What a histogram on a page measures, always in ns. */
export interface HistogramSpec {
  /** Dotted name, unique on its page, such as `wireToBook`. */
  readonly name: string;
  /** One sentence for whoever reads the dashboard. */
  readonly help: string;
}

/** Everything that a counters page is to hold. */
export interface CountersPageSpec {
  /** What all counters of the page have in common, such as `{ lane: '0', port: 'xdp:eth0?queue=0' }`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The counters; the position of one is the index of its value. */
  readonly counters: readonly CounterSpec[];
  /** The histograms, each of which takes 31 KiB. */
  readonly histograms?: readonly HistogramSpec[];
}

const NAME = /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$/;
const MAX_STRING = 1024;

/**
 * The spec as it stands in a page: JSON in UTF-8, checked.
 *
 * @throws RangeError when a name is malformed or stands twice, or a string is missing or too long
 */
export function encodeCountersSpec(spec: CountersPageSpec): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(checkSpec(spec)));
}

/**
 * Reads what {@link encodeCountersSpec} wrote, and trusts nothing in it; unknown properties are left out.
 *
 * @throws SyntaxError when the text is no JSON
 * @throws TypeError when the text is no UTF-8
 * @throws RangeError when what it says is no spec
 */
export function decodeCountersSpec(text: Uint8Array): CountersPageSpec {
  return checkSpec(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text)));
}

// Builds a fresh spec from anything, so that both directions check alike.
function checkSpec(spec: unknown): CountersPageSpec {
  const { labels, counters, histograms } = record('spec', spec);
  const names = new Set<string>();
  return {
    labels: Object.fromEntries(
      Object.entries(record('labels', labels ?? {})).map(([key, value]) => [
        key,
        string(`label ${key}`, value),
      ]),
    ),
    counters: array('counters', counters).map((counter) => checkCounter(counter, names)),
    histograms: array('histograms', histograms ?? []).map((histogram) => checkHistogram(histogram, names)),
  };
}

function checkCounter(counter: unknown, names: Set<string>): CounterSpec {
  const { name, unit, help, kind = 'counter' } = record('counter', counter);
  const unique = uniqueName(name, names);
  if (kind !== 'counter' && kind !== 'gauge') {
    throw new RangeError(`Cannot use counter ${unique}: kind must be counter or gauge, got ${kind}`);
  }
  return {
    name: unique,
    unit: string(`unit of ${unique}`, unit),
    help: string(`help of ${unique}`, help),
    kind,
  };
}

function checkHistogram(histogram: unknown, names: Set<string>): HistogramSpec {
  const { name, help } = record('histogram', histogram);
  const unique = uniqueName(name, names);
  return { name: unique, help: string(`help of ${unique}`, help) };
}

function uniqueName(name: unknown, names: Set<string>): string {
  const checked = string('name', name);
  if (!NAME.test(checked)) {
    throw new RangeError(
      `Cannot use name ${checked}: it must be dotted words of letters, digits and underscores`,
    );
  }
  if (names.has(checked)) throw new RangeError(`Cannot use name ${checked} twice on one page`);
  names.add(checked);
  return checked;
}

function record(what: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new RangeError(`Cannot use ${what}: it must be an object, got ${typeof value}`);
}

function array(what: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new RangeError(`Cannot use ${what}: it must be an array, got ${typeof value}`);
}

function string(what: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= MAX_STRING) return value;
  const got = typeof value === 'string' ? `${value.length}` : typeof value;
  throw new RangeError(
    `Cannot use ${what}: it must be a string of at most ${MAX_STRING} characters, got ${got}`,
  );
}
