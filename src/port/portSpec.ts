/** A port, or another way in, as text: `xdp:eth0?queue=0&attach=native`. */
export interface PortSpec {
  /** which backend: `xdp` */
  readonly scheme: string;
  /** what it works on: an interface, a socket path, a name; may be empty */
  readonly target: string;
  readonly options: ReadonlyMap<string, string>;
  /** the text as given */
  readonly text: string;
  /** options that every port takes, already taken out of `options`; for messages */
  readonly everyPort?: readonly string[];
}

/**
 * Takes a spec string apart: `SCHEME:TARGET?KEY=VALUE&KEY=VALUE`.
 *
 * Opens nothing, and knows no scheme. Keys and values are percent-decoded.
 *
 * @throws TypeError when the text has no scheme, or an option has no value, stands twice or cannot be decoded
 */
export function parsePortSpec(text: string): PortSpec {
  const match = /^([a-z][a-z0-9]*):([^?]*)(?:\?(.*))?$/.exec(text);
  if (match === null) {
    throw new TypeError(
      `Cannot read port spec: want SCHEME:TARGET?KEY=VALUE such as xdp:eth0?queue=0, got "${text}"`,
    );
  }
  const options = new Map<string, string>();
  for (const pair of (match[3] ?? '').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) throw new TypeError(`Cannot read option "${pair}" of "${text}": want KEY=VALUE`);
    const key = decode(pair.slice(0, equals), pair, text);
    if (options.has(key)) throw new TypeError(`Cannot read "${text}": option ${key} stands twice`);
    options.set(key, decode(pair.slice(equals + 1), pair, text));
  }
  return { scheme: match[1]!, target: match[2]!, options, text };
}

function decode(encoded: string, pair: string, text: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw new TypeError(`Cannot read option "${pair}" of "${text}": want % as %25`, { cause });
  }
}

/** Reads the options of a spec by type, and refuses what nobody asked for: a misspelt option must not be ignored. */
export class OptionReader {
  readonly #spec: PortSpec;
  readonly #left: Set<string>;

  /** Starts with every option unread. */
  constructor(spec: PortSpec) {
    this.#spec = spec;
    this.#left = new Set(spec.options.keys());
  }

  /** A whole number, or undefined when absent. @throws TypeError when it is no number */
  integer(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text)) throw this.#bad(key, 'a whole number', text);
    return Number(text);
  }

  /** Whole numbers apart by commas, or undefined when absent. */
  integers(key: string): number[] | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    if (!/^\d+(,\d+)*$/.test(text)) throw this.#bad(key, 'whole numbers apart by commas', text);
    return text.split(',').map(Number);
  }

  /** `true` or `false`, or undefined when absent. */
  flag(key: string): boolean | undefined {
    const text = this.choice(key, ['true', 'false']);
    return text === undefined ? undefined : text === 'true';
  }

  /** One of `choices`, or undefined when absent. */
  choice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw this.#bad(key, choices.join(' or '), text);
    return choice;
  }

  /** The value as it stands, or undefined when absent. */
  text(key: string): string | undefined {
    this.#left.delete(key);
    return this.#spec.options.get(key);
  }

  /** Refuses options that were never asked for. @throws TypeError naming the first */
  end(known: readonly string[]): void {
    const { text, scheme, everyPort = [] } = this.#spec;
    for (const key of this.#left) {
      const own = `${scheme} knows ${known.join(', ') || 'none'}`;
      const others = everyPort.length === 0 ? '' : `; every port knows ${everyPort.join(', ')}`;
      throw new TypeError(`Cannot open ${text}: no option "${key}"; ${own}${others}`);
    }
  }

  #bad(key: string, wanted: string, got: string): TypeError {
    return new TypeError(`Cannot open ${this.#spec.text}: ${key} must be ${wanted}, got "${got}"`);
  }
}
