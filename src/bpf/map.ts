import { readFileSync } from 'node:fs';
import { libc } from '../ffi/index.ts';
import { Fd, SystemError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import { pinObject } from './pin.ts';
import { readObjectInfo } from './programInfo.ts';

/** Kinds of maps, as bpftool names them. */
export type MapType = 'array' | 'hash' | 'percpu_array' | 'percpu_hash' | 'xskmap';

/** What a {@link BpfMap} is created from. */
export interface MapSpec {
  /** 1 to 15 letters, digits, `_` and `.`; programs refer to the map by it */
  readonly name: string;
  readonly type: MapType;
  /** [bytes] 4 for arrays and xskmaps */
  readonly keyLen: number;
  /** [bytes] of one value; 4 for xskmaps */
  readonly valueLen: number;
  /** [entries] */
  readonly capacity: number;
}

/** A key or value: its bytes, or a number when it is a u32. */
export type MapData = number | ArrayBufferView<ArrayBuffer>;

/** What {@link BpfMap.update} does about a key that is there, or is not. */
export type MapUpdate = 'any' | 'create' | 'replace';

const mapTypes: Record<MapType, number> = {
  array: k.BPF_MAP_TYPE_ARRAY,
  hash: k.BPF_MAP_TYPE_HASH,
  percpu_array: k.BPF_MAP_TYPE_PERCPU_ARRAY,
  percpu_hash: k.BPF_MAP_TYPE_PERCPU_HASH,
  xskmap: k.BPF_MAP_TYPE_XSKMAP,
};

const updateFlags: Record<MapUpdate, number> = {
  any: k.BPF_ANY,
  create: k.BPF_NOEXIST,
  replace: k.BPF_EXIST,
};

const ENOENT = 2;
/** @source linux/fcntl.h */
const F_DUPFD_CLOEXEC = 1030;

/**
 * A map in the kernel: memory that programs and we share by key.
 *
 * A map of a `percpu_…` kind has a value for each CPU that the machine could have; reading and writing take all of them,
 * one after the other, each padded to 8 bytes. It lives until we and every program that refers to it have let go.
 *
 * @source bpf(2)
 */
export class BpfMap implements Disposable {
  readonly spec: MapSpec;
  /** length of what one key holds, all CPUs together [bytes] */
  readonly entryLen: number;
  readonly #fd: Fd;

  private constructor(spec: MapSpec, fd: number) {
    this.spec = spec;
    this.entryLen = entryLenOf(spec);
    this.#fd = new Fd(fd, `BPF map ${spec.name}`);
  }

  /** Creates an empty map; arrays are full of zeros. @throws SystemError EPERM, EINVAL, E2BIG, ENOMEM */
  static create(spec: MapSpec): BpfMap {
    const attr = new BpfStruct(k.bpf_attr_map_create.sizeof);
    attr.set(k.bpf_attr_map_create.map_type, mapTypes[spec.type]);
    attr.set(k.bpf_attr_map_create.key_size, spec.keyLen);
    attr.set(k.bpf_attr_map_create.value_size, spec.valueLen);
    attr.set(k.bpf_attr_map_create.max_entries, spec.capacity);
    attr.setName(k.bpf_attr_map_create.map_name, spec.name);
    const fd = bpf(k.BPF_MAP_CREATE, attr);
    if (fd >= 0) return new BpfMap(spec, fd);
    throw new SystemError('Cannot create BPF map', {
      syscall: 'bpf(BPF_MAP_CREATE)',
      errno: -fd,
      subject: spec.name,
    });
  }

  /**
   * Opens once more the map behind a descriptor of this process: another thread's {@link BpfMap.fd}.
   *
   * @param spec - what the map was created from
   * @throws SystemError EBADF
   */
  static ofDescriptor(spec: MapSpec, descriptor: number): BpfMap {
    const fd = libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) return new BpfMap(spec, fd);
    throw new SystemError('Cannot open BPF map', {
      syscall: 'fcntl(F_DUPFD_CLOEXEC)',
      subject: `${spec.name} of descriptor ${descriptor}`,
    });
  }

  /** What the kernel calls the map behind a descriptor of this process. @throws SystemError EBADF, EINVAL */
  static nameOf(descriptor: number): string {
    const info = new BpfStruct(k.bpf_map_info.sizeof);
    readObjectInfo(descriptor, info, `BPF map of descriptor ${descriptor}`);
    return info.getName(k.bpf_map_info.name);
  }

  /** The descriptor's number, owned by this object. @throws Error when closed */
  get fd(): number {
    return this.#fd.fd;
  }

  /**
   * Reads what `key` holds into `out`, or into new memory.
   *
   * @param out - {@link BpfMap.entryLen} bytes
   * @returns `out`, or undefined when the map has no such key
   */
  lookup(key: MapData): Uint8Array<ArrayBuffer> | undefined;
  lookup<T extends ArrayBufferView<ArrayBuffer>>(key: MapData, out: T): T | undefined;
  lookup(
    key: MapData,
    out: ArrayBufferView<ArrayBuffer> = new Uint8Array(this.entryLen),
  ): ArrayBufferView<ArrayBuffer> | undefined {
    if (out.byteLength !== this.entryLen) throw this.#wrongLen('value', out.byteLength, this.entryLen);
    const result = this.#element(k.BPF_MAP_LOOKUP_ELEM, key, out);
    if (result === -ENOENT) return undefined;
    this.#check(result, 'read', 'BPF_MAP_LOOKUP_ELEM', key);
    return out;
  }

  /**
   * Puts `value` under `key`; in an xskmap the value is the descriptor's number of an AF_XDP socket.
   *
   * @throws SystemError EEXIST or ENOENT as `how` asks, E2BIG when the map is full or the key beyond an array's end
   */
  update(key: MapData, value: MapData, how: MapUpdate = 'any'): void {
    const bytes = this.#bytes('value', value, this.entryLen);
    const result = this.#element(k.BPF_MAP_UPDATE_ELEM, key, bytes, updateFlags[how]);
    this.#check(result, 'write', 'BPF_MAP_UPDATE_ELEM', key);
  }

  /**
   * Removes `key`; returns whether it was there, which an xskmap says of every key.
   *
   * @throws SystemError EINVAL for arrays, which keep every key
   */
  delete(key: MapData): boolean {
    const result = this.#element(k.BPF_MAP_DELETE_ELEM, key);
    if (result === -ENOENT) return false;
    this.#check(result, 'delete', 'BPF_MAP_DELETE_ELEM', key);
    return true;
  }

  /**
   * Gives the map a name in a BPF file system: it then lives until the file is removed.
   *
   * @throws SystemError EEXIST, ENOENT, and EPERM when `path` is in no BPF file system
   */
  pin(path: string): void {
    pinObject(this.fd, path, `map ${this.spec.name}`);
  }

  /** Lets go of the map. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #element(command: number, key: MapData, value?: ArrayBufferView, flags = 0): number {
    const attr = new BpfStruct(k.bpf_attr_map_elem.sizeof);
    attr.set(k.bpf_attr_map_elem.map_fd, this.fd);
    attr.point(k.bpf_attr_map_elem.key, this.#bytes('key', key, this.spec.keyLen));
    if (value) attr.point(k.bpf_attr_map_elem.value, value);
    attr.set(k.bpf_attr_map_elem.flags, flags);
    return bpf(command, attr);
  }

  #bytes(what: string, data: MapData, len: number): ArrayBufferView<ArrayBuffer> {
    if (typeof data === 'number' && data >>> 0 !== data) {
      throw new RangeError(`Cannot use ${data} as ${what} of BPF map ${this.spec.name}: it must be a u32`);
    }
    const bytes = typeof data === 'number' ? Uint32Array.of(data) : data;
    if (bytes.byteLength !== len) throw this.#wrongLen(what, bytes.byteLength, len);
    return bytes;
  }

  #wrongLen(what: string, len: number, wanted: number): RangeError {
    return new RangeError(
      `Cannot use ${len} bytes as ${what} of BPF map ${this.spec.name}: it has ${wanted}`,
    );
  }

  #check(result: number, action: string, command: string, key: MapData): void {
    if (result >= 0) return;
    const place = typeof key === 'number' ? `${this.spec.name}[${key}]` : this.spec.name;
    throw new SystemError(`Cannot ${action} BPF map`, {
      syscall: `bpf(${command})`,
      errno: -result,
      subject: place,
    });
  }
}

/** Returns how many CPUs the kernel keeps per-CPU values for: those present and those that could be plugged in. */
export function possibleCpus(): number {
  const list = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(list.slice(list.search(/\d+$/))) + 1;
}

function entryLenOf(spec: MapSpec): number {
  if (!spec.type.startsWith('percpu_')) return spec.valueLen;
  return Math.ceil(spec.valueLen / 8) * 8 * possibleCpus();
}
