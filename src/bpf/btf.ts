import { existsSync, readFileSync } from 'node:fs';
import { UnsupportedError } from '../sys/index.ts';

/** Where the kernel shows its own BTF; each module has a file of its own beside it. */
const VMLINUX = '/sys/kernel/btf/vmlinux';

const MAGIC = 0xeb9f;
/** the header up to its last field in use here */
const HEADER_LEN = 24;
/** name, info, size or type */
const COMMON_LEN = 12;
const FUNC = 12;

/** What follows the common part of a type, by kind from 1 on: fixed bytes, and bytes for each of its `vlen` entries. */
const TAILS: readonly (readonly [fixed: number, each: number])[] = [
  [4, 0], // INT
  [0, 0], // PTR
  [12, 0], // ARRAY
  [0, 12], // STRUCT
  [0, 12], // UNION
  [0, 8], // ENUM
  [0, 0], // FWD
  [0, 0], // TYPEDEF
  [0, 0], // VOLATILE
  [0, 0], // CONST
  [0, 0], // RESTRICT
  [0, 0], // FUNC
  [0, 8], // FUNC_PROTO
  [4, 0], // VAR
  [0, 12], // DATASEC
  [0, 0], // FLOAT
  [4, 0], // DECL_TAG
  [0, 0], // TYPE_TAG
  [0, 12], // ENUM64
];

/**
 * Finds functions in a BTF blob and returns the ids of those that it has, by name.
 *
 * Walks once over all types and looks at nothing else of them.
 *
 * ```
 *  0      2        4            8            12           16           20           24
 *  +------+---+----+------------+------------+------------+------------+------------+
 *  |magic |ver|flag| header len | types at   | types len  | strings at | strings len|   "at": from the header's end
 *  +------+---+----+------------+------------+------------+------------+------------+
 *  a type: | name: offset in the strings | info: kind in bits 24-28, vlen in 0-15 | size or type | by kind …
 * ```
 *
 * @throws Error when the blob is cut, is no BTF, or has a kind of type that is not known here
 * @source Documentation/bpf/btf.rst
 */
export function btfFunctionIds(btf: Uint8Array, names: readonly string[]): Map<string, number> {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength);
  const { types, typesEnd, strings, stringsEnd } = sections(view);
  const nameAt = new Map<number, string>();
  for (const name of names) {
    for (const at of occurrences(btf.subarray(strings, stringsEnd), name)) nameAt.set(at, name);
  }
  const ids = new Map<string, number>();
  let id = 1;
  for (let at = types; at < typesEnd; id++) {
    if (at + COMMON_LEN > typesEnd) throw new Error(`Cannot read BTF: type ${id} is cut`);
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    const tail = TAILS[kind - 1];
    if (!tail)
      throw new Error(`Cannot read BTF: type ${id} is of kind ${kind}, known are 1 to ${TAILS.length}`);
    if (kind === FUNC) {
      const name = nameAt.get(view.getUint32(at, true));
      if (name !== undefined) ids.set(name, id);
    }
    at += COMMON_LEN + tail[0] + (info & 0xffff) * tail[1];
    if (at > typesEnd) throw new Error(`Cannot read BTF: type ${id} is cut`);
  }
  return ids;
}

interface Sections {
  readonly types: number;
  readonly typesEnd: number;
  readonly strings: number;
  readonly stringsEnd: number;
}

function sections(view: DataView): Sections {
  const len = view.byteLength;
  if (len < HEADER_LEN) throw new Error(`Cannot read BTF: ${len} bytes are no header`);
  const magic = view.getUint16(0, true);
  if (magic !== MAGIC) throw new Error(`Cannot read BTF: magic is ${magic.toString(16)}, not eb9f`);
  const headerLen = view.getUint32(4, true);
  const types = headerLen + view.getUint32(8, true);
  const typesEnd = types + view.getUint32(12, true);
  const strings = headerLen + view.getUint32(16, true);
  const stringsEnd = strings + view.getUint32(20, true);
  if (typesEnd > len || stringsEnd > len) {
    throw new Error(
      `Cannot read BTF: it has ${len} bytes, and sections up to ${Math.max(typesEnd, stringsEnd)}`,
    );
  }
  return { types, typesEnd, strings, stringsEnd };
}

/** Offsets at which `name` stands with its terminating zero; also as the end of another string, which may be shared. */
function occurrences(strings: Uint8Array, name: string): number[] {
  const text = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength);
  const wanted = Buffer.from(`${name}\0`, 'latin1');
  const found: number[] = [];
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) found.push(at);
  return found;
}

/** What this process has asked for so far: ids do not change while the kernel runs. */
const known = new Map<string, number | undefined>();

/**
 * Returns the BTF id of each of these functions of the kernel, undefined for those that it does not have.
 *
 * Reads the kernel's BTF when it is first asked for a name. Functions of modules are not found: they stand in the
 * modules' own BTF, and a call of one names that by a descriptor.
 *
 * measured: 21 ms for the first call, which reads 5.5 MB (2 shared cores of a virtual machine).
 *
 * @throws UnsupportedError when the kernel shows no BTF
 */
export function kernelFunctionIds(names: readonly string[]): readonly (number | undefined)[] {
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    const ids = btfFunctionIds(readVmlinux(), unknown);
    for (const name of unknown) known.set(name, ids.get(name));
  }
  return names.map((name) => known.get(name));
}

function readVmlinux(): Uint8Array {
  if (existsSync(VMLINUX)) return readFileSync(VMLINUX);
  throw new UnsupportedError(
    'Calling functions of the kernel',
    'CONFIG_DEBUG_INFO_BTF',
    `there is no ${VMLINUX}`,
  );
}
