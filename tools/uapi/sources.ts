import { existsSync, readFileSync } from 'node:fs';
import { Btf, type Layout } from './btf.ts';
import { Headers } from './headers.ts';
import type { ModuleSpec, StructSpec } from './manifest.ts';

const VMLINUX = '/sys/kernel/btf/vmlinux';
const INCLUDE = '/usr/include';

/** A constant and where its value comes from. */
export interface Constant {
  readonly name: string;
  readonly value: number;
  /** `linux/if_xdp.h`, `enum bpf_cmd`, or `Linux` for one that is newer than the headers */
  readonly source: string;
}

/** A struct or a part of one, under the name that we give it. */
export interface Struct {
  readonly name: string;
  /** `struct xdp_desc`, `union bpf_attr` */
  readonly source: string;
  readonly layout: Layout;
}

/** Reads the running kernel's BTF. @returns undefined where the kernel shows none */
export function readBtf(): Btf | undefined {
  return existsSync(VMLINUX) ? new Btf(readFileSync(VMLINUX)) : undefined;
}

/** Reads headers that are installed, by their paths below /usr/include. */
export function readHeaders(paths: readonly string[]): Headers {
  const headers = new Headers();
  for (const path of paths) {
    if (existsSync(`${INCLUDE}/${path}`)) headers.add(path, readFileSync(`${INCLUDE}/${path}`, 'utf8'));
  }
  return headers;
}

/** Returns the constants that a module wants; the kernel's enums, then the headers, then the list of newer ones. */
export function constantsOf(module: ModuleSpec, btf: Btf): Constant[] {
  const found = new Map<string, Constant>();
  const put = (name: string, value: number | undefined, source: string): void => {
    const before = found.get(name);
    if (value === undefined) return;
    if (before && before.value !== value) {
      throw new Error(`Cannot settle ${name}: ${before.source} has ${before.value}, ${source} has ${value}`);
    }
    if (!before) found.set(name, { name, value, source });
  };
  const headers = readHeaders(module.headers);
  for (const wanted of module.constants) {
    const names = typeof wanted === 'string' ? [wanted] : headers.names().filter((name) => wanted.test(name));
    for (const name of names) put(name, headers.value(name), headers.source(name) ?? '');
  }
  for (const name of module.enums ?? []) {
    const values = btf.enum(name);
    if (!values) throw new Error(`Cannot describe enum ${name}: this kernel has none of that name`);
    for (const [key, value] of values) {
      // How many there are is another number in every kernel.
      if (!/^__|^MAX_|_LAST$/.test(key)) put(key, value, `enum ${name}`);
    }
  }
  for (const [name, value] of Object.entries(module.newer ?? {})) put(name, value, 'Linux');
  for (const name of module.constants) {
    if (typeof name !== 'string') continue;
    put(name, btf.enumerator(name), 'enum');
    if (!found.has(name))
      throw new Error(`Cannot find ${name}: neither BTF nor ${module.headers.join(', ')} has it`);
  }
  return [...found.values()];
}

/** Returns the number of a system call on both architectures; arm64 uses the generic table. */
export function syscallNumbers(name: string): { x64: number; arm64: number } {
  const [x64, arm64] = ['x86_64-linux-gnu/asm/unistd_64.h', 'asm-generic/unistd.h'].map((path) => {
    return readHeaders([path]).value(`__NR_${name}`);
  });
  if (x64 === undefined || arm64 === undefined)
    throw new Error(`Cannot find the number of system call ${name}`);
  return { x64, arm64 };
}

/** Returns the layout of a struct as this kernel has it, or undefined when it has none. */
export function structOf(spec: StructSpec, btf: Btf): Struct | undefined {
  const { name, of, member } = typeof spec === 'string' ? { name: spec, of: spec, member: undefined } : spec;
  const layout = member === undefined ? btf.struct(of) : btf.part(of, member);
  return layout && { name, source: member === undefined ? `struct ${of}` : `${of}, ${member}`, layout };
}
