import type { Destination } from '../bpf/index.ts';

/** One end of UDP datagrams, and whose it is. */
export interface FlowEntry extends Destination {
  /** what {@link FlowTable.find} answers, from 0 on */
  readonly owner: number;
}

/** An IPv6 address in 32-bit words. */
const ADDRESS_WORDS = 4;

/** Set beside the port of an IPv6 entry. */
const IPV6_KEY = 0x10000;

/**
 * Whose a UDP datagram is, by IP version, port and address: an exact-match table in typed arrays.
 *
 * An entry with the address goes before one for any address; of two for the same end the first given counts. Looking up
 * takes as long as there are entries for one port, as in the XDP program that picks the frames.
 */
export class FlowTable {
  readonly #mask: number;
  /** by the low bits of a port: the first entry, -1 for none */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** port, and {@link IPV6_KEY} */
  readonly #keys: Int32Array;
  readonly #owners: Int32Array;
  /** words of the address to compare: 0, 1 or 4 */
  readonly #lens: Uint8Array;
  /** as they stand in a frame, read little-endian */
  readonly #words: Int32Array;

  /** Builds the table. */
  constructor(entries: readonly FlowEntry[]) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, entries.length * 2)));
    this.#mask = size - 1;
    this.#heads = new Int32Array(size).fill(-1);
    this.#next = new Int32Array(entries.length);
    this.#keys = new Int32Array(entries.length);
    this.#owners = new Int32Array(entries.length);
    this.#lens = new Uint8Array(entries.length);
    this.#words = new Int32Array(entries.length * ADDRESS_WORDS);
    // Each goes before those of its list: the ones for any address are put first, the first given last.
    const any = entries.filter(({ address }) => address === undefined);
    const own = entries.filter(({ address }) => address !== undefined);
    for (const [at, entry] of [...any.reverse(), ...own.reverse()].entries()) this.#put(entry, at);
  }

  /**
   * Returns the owner of a datagram's end, or -1 when it is nobody's.
   *
   * @param view - memory that holds the frame
   * @param addressOffset - where the address of that end stands [byte offset in view]
   * @hot
   */
  find(version: number, port: number, view: DataView, addressOffset: number): number {
    const key = version === 6 ? port | IPV6_KEY : port;
    const keys = this.#keys;
    const next = this.#next;
    for (let at = this.#heads[port & this.#mask]!; at >= 0; at = next[at]!) {
      if (keys[at] === key && this.#isAddress(at, view, addressOffset)) return this.#owners[at]!;
    }
    return -1;
  }

  #isAddress(at: number, view: DataView, offset: number): boolean {
    const len = this.#lens[at]!;
    const first = at * ADDRESS_WORDS;
    for (let i = 0; i < len; i++) {
      if (view.getInt32((offset + (i << 2)) | 0, true) !== this.#words[first + i]) return false;
    }
    return true;
  }

  #put({ version, port, address, owner }: FlowEntry, at: number): void {
    const bucket = port & this.#mask;
    this.#next[at] = this.#heads[bucket]!;
    this.#heads[bucket] = at;
    this.#keys[at] = version === 6 ? port | IPV6_KEY : port;
    this.#owners[at] = owner;
    if (address === undefined) return;
    const view = new DataView(address.buffer, address.byteOffset, address.length);
    this.#lens[at] = address.length >> 2;
    for (let i = 0; i < address.length; i += 4) {
      this.#words[at * ADDRESS_WORDS + (i >> 2)] = view.getInt32(i, true);
    }
  }
}
