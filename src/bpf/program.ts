import { Fd, links, SystemError, UnsupportedError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import { kernelFunctionIds } from './btf.ts';
import { SLOT_LEN } from './instruction.ts';
import { BpfMap } from './map.ts';
import type { ProgramInfo } from './programInfo.ts';
import { programInfoOf } from './programInfo.ts';
import type { ProgramSpec, ProgramType } from './programSpec.ts';
import type { Injection, TestRun, TestRunResult } from './testRun.ts';
import { injectFrames, testRun } from './testRun.ts';
import { readVerifierLog, VerifierError } from './verifierError.ts';

const programTypes: Record<ProgramType, number> = {
  xdp: k.BPF_PROG_TYPE_XDP,
  socket_filter: k.BPF_PROG_TYPE_SOCKET_FILTER,
  sched_cls: k.BPF_PROG_TYPE_SCHED_CLS,
};

const EAGAIN = 11;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const ENOSPC = 28;
const MAX_TRIES = 10;
const FIRST_LOG_LEN = 1 << 16;
const LAST_LOG_LEN = 1 << 26;
/** every instruction that the verifier has walked, with the registers' states */
const LOG_LEVEL = 1;

/**
 * A program that the verifier has accepted, in the kernel.
 *
 * It lives until we and every link have let go of it.
 *
 * @source bpf(2)
 */
export class BpfProgram implements Disposable {
  readonly spec: ProgramSpec;
  readonly #fd: Fd;
  readonly #maps: ReadonlyMap<string, BpfMap>;
  readonly #ownMaps: readonly BpfMap[];

  private constructor(
    spec: ProgramSpec,
    fd: number,
    maps: ReadonlyMap<string, BpfMap>,
    ownMaps: readonly BpfMap[],
  ) {
    this.spec = spec;
    this.#fd = new Fd(fd, `BPF program ${spec.name}`);
    this.#maps = maps;
    this.#ownMaps = ownMaps;
  }

  /**
   * Creates the maps of `spec` and loads the program.
   *
   * @param maps - maps to use instead of creating those of the same name; their owner closes them
   * @throws VerifierError when the verifier refuses it
   * @throws SystemError EPERM without CAP_BPF and, for XDP, CAP_NET_ADMIN; EOPNOTSUPP when it is bound to an interface
   *   whose driver has no metadata
   * @throws UnsupportedError when it calls a function that this kernel does not have
   * @throws TypeError when an instruction refers to a map that is neither in `spec` nor in `maps`
   */
  static load(spec: ProgramSpec, maps: readonly BpfMap[] = []): BpfProgram {
    const byName = new Map(maps.map((map) => [map.spec.name, map]));
    const ownMaps: BpfMap[] = [];
    try {
      for (const mapSpec of spec.maps ?? []) {
        if (byName.has(mapSpec.name)) continue;
        const map = BpfMap.create(mapSpec);
        ownMaps.push(map);
        byName.set(mapSpec.name, map);
      }
      return new BpfProgram(spec, loadOrExplain(spec, link(spec, byName)), byName, ownMaps);
    } catch (error) {
      for (const map of ownMaps) map.close();
      throw error;
    }
  }

  /** The descriptor's number, owned by this object. @throws Error when closed */
  get fd(): number {
    return this.#fd.fd;
  }

  /** Returns the map of that name, which this program uses. @throws TypeError when it has none */
  map(name: string): BpfMap {
    const map = this.#maps.get(name);
    if (map) return map;
    throw new TypeError(`Cannot find map '${name}' of BPF program ${this.spec.name}`);
  }

  /** Returns what the kernel tells of the program. */
  info(): ProgramInfo {
    return programInfoOf(this.fd);
  }

  /** Runs the program on one frame without any effect but on maps, and returns what it answered. */
  testRun(run: TestRun): TestRunResult {
    return testRun(this, run);
  }

  /** Has the kernel run the program on copies of a frame and act on its verdicts, as if they had come in. */
  injectFrames(injection: Injection): void {
    injectFrames(this, injection);
  }

  /** Lets go of the program and of the maps that {@link load} created. Idempotent. */
  close(): void {
    this.#fd.close();
    for (const map of this.#ownMaps) map.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Returns the program's code with the maps' descriptors and the ids of the kernel's functions filled in. */
function link({ name, assembly }: ProgramSpec, maps: ReadonlyMap<string, BpfMap>): Uint8Array {
  const code = assembly.code.slice();
  const view = new DataView(code.buffer);
  for (const reference of assembly.mapReferences) {
    const map = maps.get(reference.map);
    if (!map) throw new TypeError(`Cannot load BPF program ${name}: it has no map '${reference.map}'`);
    view.setInt32(reference.slot * SLOT_LEN + 4, map.fd, true);
  }
  const functions = assembly.functionReferences;
  const ids = kernelFunctionIds(functions.map((reference) => reference.name));
  for (const [i, { slot, name: called, since }] of functions.entries()) {
    const id = ids[i];
    if (id === undefined) throw new UnsupportedError(`Kernel function ${called}`, since);
    view.setInt32(slot * SLOT_LEN + 4, id, true);
  }
  return code;
}

/** Loads without a log, which is fast; a refused program is loaded again with one that is large enough. */
function loadOrExplain(spec: ProgramSpec, code: Uint8Array): number {
  let fd = loadOnce(spec, code);
  // The verifier gives up when a signal is pending, such as a profiler's; nothing is wrong with the program then.
  for (let tries = 1; fd === -EAGAIN && tries < MAX_TRIES; tries++) fd = loadOnce(spec, code);
  let log: Uint8Array | undefined;
  for (let len = FIRST_LOG_LEN; fd < 0 && fd !== -EAGAIN && len <= LAST_LOG_LEN; len *= 4) {
    log = new Uint8Array(len);
    fd = loadOnce(spec, code, log);
    if (fd !== -ENOSPC) break;
  }
  if (fd >= 0) return fd;
  const text = log === undefined ? '' : textOf(log);
  const verdict = readVerifierLog(text);
  if (verdict) throw new VerifierError(spec, -fd, text, verdict);
  throw new SystemError('Cannot load BPF program', {
    syscall: 'bpf(BPF_PROG_LOAD)',
    errno: -fd,
    subject: spec.name,
    ...evidence(-fd, spec),
  });
}

/** The kernel says not a word of an interface that is not there or knows nothing, and of flags that it does not know. */
function evidence(errno: number, { boundTo, frags }: ProgramSpec): { hint?: string } {
  if (errno === EOPNOTSUPP && boundTo !== undefined) {
    return { hint: 'The driver has no metadata for programs: ask for the timestamp of the kernel alone' };
  }
  if (errno !== EINVAL) return {};
  if (boundTo !== undefined && !links().some((each) => each.index === boundTo)) {
    return { hint: `No interface of this network namespace has index ${boundTo}` };
  }
  if (boundTo !== undefined) return { hint: 'Binding a program to a device needs Linux 6.3: do without' };
  if (frags) return { hint: 'Frames in several buffers need Linux 5.18: do without `frags`' };
  return {};
}

function flagsOf({ flags = 0, boundTo, frags }: ProgramSpec): number {
  const bound = boundTo === undefined ? 0 : k.BPF_F_XDP_DEV_BOUND_ONLY;
  return flags | bound | (frags ? k.BPF_F_XDP_HAS_FRAGS : 0);
}

function loadOnce(spec: ProgramSpec, code: Uint8Array, log?: Uint8Array): number {
  const field = k.bpf_attr_prog_load;
  const attr = new BpfStruct(field.sizeof);
  attr.set(field.prog_type, programTypes[spec.type]);
  attr.set(field.insn_cnt, code.length / SLOT_LEN);
  attr.point(field.insns, code);
  attr.point(field.license, new TextEncoder().encode(`${spec.license ?? 'MIT'}\0`));
  attr.set(field.prog_flags, flagsOf(spec));
  attr.set(field.prog_ifindex, spec.boundTo ?? 0);
  attr.setName(field.prog_name, spec.name);
  if (log) {
    attr.set(field.log_level, LOG_LEVEL);
    attr.set(field.log_size, log.length);
    attr.point(field.log_buf, log);
  }
  return bpf(k.BPF_PROG_LOAD, attr);
}

function textOf(log: Uint8Array): string {
  return new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
}
