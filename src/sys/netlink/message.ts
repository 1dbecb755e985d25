import { NLA_F_NESTED, NLA_TYPE_MASK, nlattr, nlmsghdr } from '../uapi/index.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const NOTHING = new DataView(new ArrayBuffer(0));

/** Netlink aligns messages and attributes to 4 bytes. */
const align = (len: number): number => (len + 3) & ~3;

/**
 * A netlink request under construction: header, fixed part, attributes.
 *
 * ```
 *  0               4       6       8               12              16
 * +---------------+-------+-------+---------------+---------------+----------------+------------
 * | length        | type  | flags | sequence      | port          | fixed part     | attributes
 * +---------------+-------+-------+---------------+---------------+----------------+------------
 * ```
 *
 * @source linux/netlink.h, struct nlmsghdr
 */
export class NetlinkMessage {
  readonly #view: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(2048));
  readonly #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(this.#view.buffer);
  #len: number;

  /**
   * @param flags - beside those of every request, such as NLM_F_CREATE
   * @param fixedLen - length of the struct that follows the header, such as ifinfomsg [bytes]
   */
  constructor(type: number, flags: number, fixedLen: number) {
    this.#view.setUint16(nlmsghdr.nlmsg_type, type, true);
    this.#view.setUint16(nlmsghdr.nlmsg_flags, flags, true);
    this.#len = nlmsghdr.sizeof + align(fixedLen);
  }

  /** The struct that follows the header. */
  get fixed(): DataView {
    return new DataView(this.#view.buffer, nlmsghdr.sizeof);
  }

  /** Appends an attribute of raw bytes. */
  bytes(type: number, value: Uint8Array): this {
    this.#header(type, value.length);
    this.#bytes.set(value, this.#len);
    this.#len += align(value.length);
    return this;
  }

  /** Appends an attribute that holds a C string. */
  text(type: number, value: string): this {
    return this.bytes(type, encoder.encode(`${value}\0`));
  }

  /** Appends an attribute that holds a u32. */
  u32(type: number, value: number): this {
    this.#header(type, 4);
    this.#view.setUint32(this.#len, value, true);
    this.#len += 4;
    return this;
  }

  /** Appends an attribute that holds an unsigned number of up to 53 bits: 4 bytes where that suffices, else 8. */
  uint(type: number, value: number): this {
    if (value <= 0xffff_ffff) return this.u32(type, value);
    this.#header(type, 8);
    this.#view.setUint32(this.#len, value % 2 ** 32, true);
    this.#view.setUint32(this.#len + 4, value / 2 ** 32, true);
    this.#len += 8;
    return this;
  }

  /** Appends an attribute that holds what `fill` appends, after `fixedLen` zero bytes. */
  nested(type: number, fill: () => void, fixedLen = 0): this {
    const start = this.#len;
    this.#header(type | NLA_F_NESTED, fixedLen);
    this.#len += align(fixedLen);
    fill();
    this.#view.setUint16(start + nlattr.nla_len, this.#len - start, true);
    return this;
  }

  /** Closes the message under a sequence number, with `flags` added, and returns its bytes. */
  finish(flags: number, sequence: number): Uint8Array {
    const all = this.#view.getUint16(nlmsghdr.nlmsg_flags, true) | flags;
    this.#view.setUint16(nlmsghdr.nlmsg_flags, all, true);
    this.#view.setUint32(nlmsghdr.nlmsg_len, this.#len, true);
    this.#view.setUint32(nlmsghdr.nlmsg_seq, sequence, true);
    return this.#bytes.subarray(0, this.#len);
  }

  #header(type: number, len: number): void {
    this.#view.setUint16(this.#len + nlattr.nla_len, nlattr.sizeof + len, true);
    this.#view.setUint16(this.#len + nlattr.nla_type, type, true);
    this.#len += nlattr.sizeof;
  }
}

/** The attributes of a netlink message, or of an attribute that nests others; the last of a type counts. */
export class Attributes {
  readonly #values = new Map<number, DataView>();

  /** Reads attributes from `start` to the end of `view`. Stops quietly at one that is cut off. */
  constructor(view: DataView, start: number) {
    for (let at = align(start); at + nlattr.sizeof <= view.byteLength; ) {
      const len = view.getUint16(at + nlattr.nla_len, true);
      if (len < nlattr.sizeof || at + len > view.byteLength) break;
      const type = view.getUint16(at + nlattr.nla_type, true) & NLA_TYPE_MASK;
      this.#values.set(
        type,
        new DataView(view.buffer, view.byteOffset + at + nlattr.sizeof, len - nlattr.sizeof),
      );
      at += align(len);
    }
  }

  /** Returns the value as a u32, or undefined when absent or shorter. */
  u32(type: number): number | undefined {
    const value = this.#values.get(type);
    return value && value.byteLength >= 4 ? value.getUint32(0, true) : undefined;
  }

  /** Returns an unsigned value of 4 or 8 bytes, exact up to 2^53, or undefined when absent or shorter. */
  uint(type: number): number | undefined {
    const value = this.#values.get(type);
    if (!value || value.byteLength < 8) return this.u32(type);
    return value.getUint32(0, true) + value.getUint32(4, true) * 2 ** 32;
  }

  /** Returns the value as a u16, or undefined when absent or shorter. */
  u16(type: number): number | undefined {
    const value = this.#values.get(type);
    return value && value.byteLength >= 2 ? value.getUint16(0, true) : undefined;
  }

  /** Tells whether there is an attribute of the type, be it empty. */
  has(type: number): boolean {
    return this.#values.has(type);
  }

  /** Returns the value as a u8, or undefined when absent or empty. */
  u8(type: number): number | undefined {
    const value = this.#values.get(type);
    return value && value.byteLength >= 1 ? value.getUint8(0) : undefined;
  }

  /** Returns the value as a string without its terminating zero, or undefined when absent. */
  text(type: number): string | undefined {
    const value = this.bytes(type);
    if (!value) return undefined;
    const end = value.indexOf(0);
    return decoder.decode(end < 0 ? value : value.subarray(0, end));
  }

  /** Returns the value's bytes in place, or undefined when absent. */
  bytes(type: number): Uint8Array | undefined {
    const value = this.#values.get(type);
    return value && new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }

  /** Returns the attributes nested in the value; none when absent. */
  nested(type: number): Attributes {
    return new Attributes(this.#values.get(type) ?? NOTHING, 0);
  }
}
