import { parsePortSpec } from '../port/index.ts';
import { link, SystemError } from '../sys/index.ts';

/** What an interface is like for those who receive on it; `gone` is told by the receiver's own error. */
export type LinkState = 'up' | 'down' | 'no carrier' | 'gone';

/** Looks in a row that have to miss the carrier before it is told: attaching XDP resets some NICs for a moment. */
const LOOKS_WITHOUT_CARRIER = 8;

/**
 * Says when an interface on which somebody receives goes down and comes up again.
 *
 * AF_XDP binds to an interface that is down and then receives nothing, without an error.
 */
export class LinkWatch {
  readonly #name: string;
  readonly #read: (name: string) => LinkState;
  #told: LinkState = 'up';
  #seen: LinkState = 'up';
  #looks = 0;

  /** @param read - asks the kernel unless told otherwise */
  constructor(name: string, read: (name: string) => LinkState = linkState) {
    this.#name = name;
    this.#read = read;
  }

  /** Watches the interface of a source's spec; undefined when it has none. */
  static of(via: string): LinkWatch | undefined {
    const { scheme, target } = parsePortSpec(via);
    return scheme === 'xdp' ? new LinkWatch(target) : undefined;
  }

  /** Looks once. @returns a line to print when something changed */
  look(): string | undefined {
    const state = this.#read(this.#name);
    this.#looks = state === this.#seen ? this.#looks + 1 : 1;
    this.#seen = state;
    if (state === this.#told || (state === 'no carrier' && this.#looks < LOOKS_WITHOUT_CARRIER))
      return undefined;
    this.#told = state;
    const name = this.#name;
    switch (state) {
      case 'down':
        return `${name} is down, so nothing arrives: \`ip link set ${name} up\``;
      case 'no carrier':
        return `${name} has no carrier, so nothing arrives: its cable, or the other end, is missing or down`;
      case 'up':
        return `${name} is up again`;
      case 'gone':
        return undefined;
    }
  }
}

function linkState(name: string): LinkState {
  try {
    const { up, running } = link(name);
    return running ? 'up' : up ? 'no carrier' : 'down';
  } catch (error) {
    if (error instanceof SystemError) return 'gone';
    throw error;
  }
}
