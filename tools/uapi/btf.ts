const MAGIC = 0xeb9f;

/** What follows the 12 common bytes of a type, by kind: fixed bytes, and bytes for each of its `vlen` entries. */
const TAIL: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  1: [4, 0], // INT
  2: [0, 0], // PTR
  3: [12, 0], // ARRAY
  4: [0, 12], // STRUCT
  5: [0, 12], // UNION
  6: [0, 8], // ENUM
  7: [0, 0], // FWD
  8: [0, 0], // TYPEDEF
  9: [0, 0], // VOLATILE
  10: [0, 0], // CONST
  11: [0, 0], // RESTRICT
  12: [0, 0], // FUNC
  13: [0, 8], // FUNC_PROTO
  14: [4, 0], // VAR
  15: [0, 12], // DATASEC
  16: [0, 0], // FLOAT
  17: [4, 0], // DECL_TAG
  18: [0, 0], // TYPE_TAG
  19: [0, 12], // ENUM64
};

const STRUCT = 4;
const UNION = 5;
const ENUM = 6;
const ENUM64 = 19;
/** TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG: another name or quality of the type they refer to. */
const ALIASES: ReadonlySet<number> = new Set([8, 9, 10, 11, 18]);

/** Where the members of a struct or union lie; those of unnamed structs and unions inside it are its own. */
export interface Layout {
  /** [bytes] */
  readonly size: number;
  /** member to offset [bytes]; bit fields are left out */
  readonly members: ReadonlyMap<string, number>;
}

interface Member {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly bitfield: boolean;
}

/**
 * Reads the kernel's description of its own types (BTF), as far as struct layouts and enum values go.
 *
 * @source Documentation/bpf/btf.rst
 */
export class Btf {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #strings: number;
  /** offset of each type in the blob, by id; id 0 is void */
  readonly #offsets: number[] = [0];
  readonly #structs = new Map<string, number>();
  readonly #enums = new Map<string, ReadonlyMap<string, number>>();
  readonly #enumerators = new Map<string, number>();

  /** Indexes a BTF blob such as /sys/kernel/btf/vmlinux. @throws Error when it is none, or has kinds not known here */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const magic = this.#view.getUint16(0, true);
    if (magic !== MAGIC) throw new Error(`Cannot read BTF: magic is ${magic.toString(16)}, not eb9f`);
    const headerLen = this.#view.getUint32(4, true);
    const types = headerLen + this.#view.getUint32(8, true);
    const typesEnd = types + this.#view.getUint32(12, true);
    this.#strings = headerLen + this.#view.getUint32(16, true);
    for (let offset = types; offset < typesEnd; ) {
      const id = this.#offsets.push(offset) - 1;
      offset += this.#index(id, offset);
    }
  }

  /** Returns the layout of a struct or union, or undefined when this kernel has none of that name. */
  struct(name: string): Layout | undefined {
    const id = this.#structs.get(name);
    return id === undefined ? undefined : this.#layout(id);
  }

  /**
   * Returns the layout of a part of a struct: the struct-typed `member`, or the unnamed struct that holds `member`.
   *
   * Offsets are from the start of the whole; the size reaches from there to the end of the part.
   */
  part(name: string, member: string): Layout | undefined {
    const id = this.#structs.get(name);
    if (id === undefined) return undefined;
    for (const each of this.#members(id)) {
      const type = this.#resolve(each.type);
      if (!this.#isStruct(type)) continue;
      const inner = this.#layout(type);
      if (each.name !== member && !(each.name === '' && inner.members.has(member))) continue;
      const members = new Map([...inner.members].map(([key, offset]) => [key, offset + each.offset]));
      return { size: each.offset + inner.size, members };
    }
    return undefined;
  }

  /** Returns name and value of every enumerator of a named enum, or undefined when this kernel has none of that name. */
  enum(name: string): ReadonlyMap<string, number> | undefined {
    return this.#enums.get(name);
  }

  /** Returns the value of an enumerator of any enum, named or not. */
  enumerator(name: string): number | undefined {
    return this.#enumerators.get(name);
  }

  /** Enters a type into the indexes and returns its length. [bytes] */
  #index(id: number, offset: number): number {
    const { kind, vlen, name, flag } = this.#head(offset);
    const tail = TAIL[kind];
    if (tail === undefined)
      throw new Error(`Cannot read BTF: type ${id} is of kind ${kind}, known are 1 to 19`);
    if (kind === STRUCT || kind === UNION) {
      const key = this.#string(name);
      if (key !== '' && !this.#structs.has(key)) this.#structs.set(key, id);
    } else if (kind === ENUM || kind === ENUM64) {
      this.#indexEnum(offset, this.#string(name), vlen, kind === ENUM64, flag);
    }
    return 12 + tail[0] + vlen * tail[1];
  }

  #indexEnum(offset: number, name: string, vlen: number, wide: boolean, signed: boolean): void {
    const values = new Map<string, number>();
    const entryLen = wide ? 12 : 8;
    for (let at = offset + 12; at < offset + 12 + vlen * entryLen; at += entryLen) {
      const top = wide ? at + 8 : at + 4;
      const high = signed ? this.#view.getInt32(top, true) : this.#view.getUint32(top, true);
      const value = wide ? high * 2 ** 32 + this.#view.getUint32(at + 4, true) : high;
      values.set(this.#string(this.#view.getUint32(at, true)), value);
    }
    if (name !== '' && !this.#enums.has(name)) this.#enums.set(name, values);
    for (const [key, value] of values) {
      if (!this.#enumerators.has(key)) this.#enumerators.set(key, value);
    }
  }

  #head(offset: number): { name: number; kind: number; vlen: number; flag: boolean } {
    const info = this.#view.getUint32(offset + 4, true);
    const name = this.#view.getUint32(offset, true);
    return { name, kind: (info >>> 24) & 31, vlen: info & 0xffff, flag: info >>> 31 === 1 };
  }

  #isStruct(id: number): boolean {
    const { kind } = this.#head(this.#offsets[id]!);
    return kind === STRUCT || kind === UNION;
  }

  #layout(id: number): Layout {
    const members = new Map<string, number>();
    for (const { name, type, offset, bitfield } of this.#members(id)) {
      if (name !== '') {
        if (!bitfield) members.set(name, offset);
      } else if (this.#isStruct(this.#resolve(type))) {
        for (const [key, inner] of this.#layout(this.#resolve(type)).members) {
          if (!members.has(key)) members.set(key, offset + inner);
        }
      }
    }
    return { size: this.#view.getUint32(this.#offsets[id]! + 8, true), members };
  }

  #members(id: number): Member[] {
    const start = this.#offsets[id]!;
    const { vlen, flag } = this.#head(start);
    return Array.from({ length: vlen }, (_, i) => {
      const at = start + 12 + 12 * i;
      const position = this.#view.getUint32(at + 8, true);
      const bits = flag ? position & 0xffffff : position;
      return {
        name: this.#string(this.#view.getUint32(at, true)),
        type: this.#view.getUint32(at + 4, true),
        offset: bits >>> 3,
        bitfield: flag && position >>> 24 !== 0,
      };
    });
  }

  /** Follows typedefs and qualifiers to the type itself. */
  #resolve(id: number): number {
    const offset = this.#offsets[id]!;
    return id !== 0 && ALIASES.has(this.#head(offset).kind)
      ? this.#resolve(this.#view.getUint32(offset + 8, true))
      : id;
  }

  #string(offset: number): string {
    const start = this.#strings + offset;
    let end = start;
    while (this.#bytes[end] !== 0) end++;
    return end === start ? '' : String.fromCharCode(...this.#bytes.subarray(start, end));
  }
}
