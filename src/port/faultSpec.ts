/** Which faults to inject into which frames; plain data. */
export interface FaultSpec {
  /** part of the frames that vanish; default 0 [0 to 1] */
  readonly loss?: number;
  /** part of the frames that come twice; default 0 [0 to 1] */
  readonly duplicate?: number;
  /** part of the frames that one to four later ones overtake; default 0 [0 to 1] */
  readonly reorder?: number;
  /** part of the frames in which one bit is flipped; default 0 [0 to 1] */
  readonly corrupt?: number;
  /** how much later each frame comes; default 0 */
  readonly delayNs?: number;
  /** with the same seed, the same frames meet the same faults; default 1 [0 to 2^32 - 1] */
  readonly seed?: number;
  /** the frames that are received, that are sent, or all; default `both` */
  readonly on?: 'rx' | 'tx' | 'both';
}

const EXAMPLE = 'loss:0.01,duplicate:0.005,reorder:0.02,corrupt:0.001,delay:50us,seed:7,on:rx';
const UNITS_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const MAX_SEED = 2 ** 32 - 1;

type FaultKey = 'loss' | 'duplicate' | 'reorder' | 'corrupt' | 'delay' | 'seed' | 'on';

const readers: Readonly<Record<FaultKey, (value: string) => Partial<FaultSpec> | string>> = {
  loss: (value) => part(value, (loss) => ({ loss })),
  duplicate: (value) => part(value, (duplicate) => ({ duplicate })),
  reorder: (value) => part(value, (reorder) => ({ reorder })),
  corrupt: (value) => part(value, (corrupt) => ({ corrupt })),
  delay: (value) => {
    const [, count, unit] = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(value) ?? [];
    if (count === undefined || unit === undefined) return 'a time such as 50us, in ns, us, ms or s';
    return { delayNs: Math.round(Number(count) * UNITS_NS[unit]!) };
  },
  seed: (value) => {
    const seed = Number(value);
    return /^\d+$/.test(value) && seed <= MAX_SEED ? { seed } : `a whole number up to ${MAX_SEED}`;
  },
  on: (value) => (value === 'rx' || value === 'tx' || value === 'both' ? { on: value } : 'rx, tx or both'),
};

/**
 * Reads the faults that a spec string asks for: `loss:0.01,delay:50us,seed:7`; docs/faults.md says what they do.
 *
 * @throws TypeError for a fault that nobody knows, one that stands twice, and a value that makes no sense
 */
export function parseFaultSpec(text: string): FaultSpec {
  const found = new Map<FaultKey, Partial<FaultSpec>>();
  for (const entry of text.split(',')) {
    const colon = entry.indexOf(':');
    const key = entry.slice(0, Math.max(colon, 0));
    if (!isFaultKey(key)) {
      throw new TypeError(
        `Cannot read faults "${text}": want FAULT:VALUE such as ${EXAMPLE}, got "${entry}"`,
      );
    }
    if (found.has(key)) throw new TypeError(`Cannot read faults "${text}": ${key} stands twice`);
    const value = entry.slice(colon + 1);
    const read = readers[key](value);
    if (typeof read === 'string') {
      throw new TypeError(`Cannot read faults "${text}": ${key} must be ${read}, got "${value}"`);
    }
    found.set(key, read);
  }
  return Object.assign({}, ...found.values()) as FaultSpec;
}

/** Says in words what {@link parseFaultSpec} reads: `loss 0.01, delay 50000 ns, seed 7, on rx`. */
export function describeFaults(spec: FaultSpec): string {
  const parts = (['loss', 'duplicate', 'reorder', 'corrupt'] as const)
    .filter((key) => (spec[key] ?? 0) > 0)
    .map((key) => `${key} ${spec[key]}`);
  const delay = (spec.delayNs ?? 0) > 0 ? [`delay ${spec.delayNs} ns`] : [];
  return [...parts, ...delay, `seed ${spec.seed ?? 1}`, `on ${spec.on ?? 'both'}`].join(', ');
}

/**
 * Checks a spec that was not read from text.
 *
 * @throws RangeError when a part is not from 0 to 1, or a delay or seed is out of range
 */
export function checkFaultSpec(spec: FaultSpec): void {
  for (const key of ['loss', 'duplicate', 'reorder', 'corrupt'] as const) {
    const value = spec[key] ?? 0;
    if (!(value >= 0 && value <= 1)) {
      throw new RangeError(`Cannot inject faults: ${key} must be 0 to 1, got ${value}`);
    }
  }
  const { delayNs = 0, seed = 1 } = spec;
  if (!(delayNs >= 0 && Number.isFinite(delayNs))) {
    throw new RangeError(`Cannot inject faults: delayNs must be 0 or more, got ${delayNs}`);
  }
  if (!(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    throw new RangeError(`Cannot inject faults: seed must be 0 to ${MAX_SEED}, got ${seed}`);
  }
}

function part(value: string, make: (part: number) => Partial<FaultSpec>): Partial<FaultSpec> | string {
  const fits = /^\d*\.?\d+$/.test(value) && Number(value) <= 1;
  return fits ? make(Number(value)) : 'a part of all frames, 0 to 1';
}

function isFaultKey(key: string): key is FaultKey {
  return Object.hasOwn(readers, key);
}
