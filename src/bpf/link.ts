import { constants } from 'node:os';
import { type AttachedXdp, Fd, type Link, links, SystemError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import type { BpfProgram } from './program.ts';
import { programInfo, readObjectInfo } from './programInfo.ts';

/**
 * Where an XDP program runs: `native` in the driver, before the kernel makes a packet of the frame; `generic` after that,
 * on any interface, and slower.
 */
export type XdpMode = 'native' | 'generic';

/** The interface to attach to, in the calling thread's namespace. */
export type XdpTarget = Pick<Link, 'name' | 'index'>;

/** What the kernel tells of a link. */
export interface XdpLinkInfo {
  readonly id: number;
  readonly programId: number;
  /** 0 when the interface is gone */
  readonly ifindex: number;
}

const modeFlags: Record<XdpMode, number> = {
  native: k.XDP_FLAGS_DRV_MODE,
  generic: k.XDP_FLAGS_SKB_MODE,
};

/** What a driver answers when it cannot run programs, or not as it is set up now: generic mode may still work. */
const DRIVER_REFUSALS: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'EINVAL', 'ERANGE', 'ENOMEM', 'ENOSPC']);

/**
 * An XDP program attached to an interface.
 *
 * The kernel detaches it when the link is closed, also by the end of the process, kill -9 included.
 *
 * @since Linux 5.9
 */
export class XdpLink implements Disposable {
  /** what the program runs in */
  readonly mode: XdpMode;
  /** why it is generic although native was tried; undefined when as asked */
  readonly modeReason: string | undefined;
  readonly #fd: Fd;
  readonly #subject: string;

  private constructor(fd: number, mode: XdpMode, modeReason: string | undefined, subject: string) {
    this.#fd = new Fd(fd, `XDP link of ${subject}`);
    this.mode = mode;
    this.modeReason = modeReason;
    this.#subject = subject;
  }

  /**
   * Attaches a program to an interface.
   *
   * @param mode - `auto` tries native mode and falls back to generic, which {@link XdpLink.modeReason} reports
   * @throws SystemError EBUSY or EEXIST when there is an XDP program already; the message names it
   * @throws SystemError ENODEV without such an interface, EPERM without CAP_NET_ADMIN, EOPNOTSUPP when `mode` is
   *   `native` and the driver cannot
   */
  static attach(program: BpfProgram, target: XdpTarget, mode: XdpMode | 'auto' = 'auto'): XdpLink {
    const first = mode === 'auto' ? 'native' : mode;
    const fd = create(program, target, first);
    if (fd >= 0) return new XdpLink(fd, first, undefined, target.name);
    const error = attachError(-fd, first, target);
    if (mode !== 'auto' || !DRIVER_REFUSALS.has(error.code)) throw error;
    const genericFd = create(program, target, 'generic');
    if (genericFd >= 0) return new XdpLink(genericFd, 'generic', error.message, target.name);
    throw attachError(-genericFd, 'generic', target);
  }

  /** Has another program take over, without a frame in between that none has seen. @throws SystemError */
  update(program: BpfProgram): void {
    const attr = new BpfStruct(k.bpf_attr_link_update.sizeof);
    attr.set(k.bpf_attr_link_update.link_fd, this.#fd.fd);
    attr.set(k.bpf_attr_link_update.new_prog_fd, program.fd);
    const result = bpf(k.BPF_LINK_UPDATE, attr);
    if (result >= 0) return;
    throw new SystemError('Cannot replace XDP program on', {
      syscall: 'bpf(BPF_LINK_UPDATE)',
      errno: -result,
      subject: this.#subject,
    });
  }

  /** Returns what the kernel tells of the link now. */
  info(): XdpLinkInfo {
    const info = new BpfStruct(k.bpf_link_info.sizeof);
    readObjectInfo(this.#fd.fd, info, `XDP link of ${this.#subject}`);
    return {
      id: info.get(k.bpf_link_info.id),
      programId: info.get(k.bpf_link_info.prog_id),
      ifindex: info.get(k.bpf_link_info.xdp),
    };
  }

  /** Detaches the program. Idempotent. */
  close(): void {
    if (this.#fd.closed) return;
    // NB: closing detaches with the last descriptor only, and a child process between fork and exec has one too.
    const attr = new BpfStruct(k.bpf_attr_link_detach.sizeof);
    attr.set(k.bpf_attr_link_detach.link_fd, this.#fd.fd);
    bpf(k.BPF_LINK_DETACH, attr);
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function create(program: BpfProgram, target: XdpTarget, mode: XdpMode): number {
  const attr = new BpfStruct(k.bpf_attr_link_create.sizeof);
  attr.set(k.bpf_attr_link_create.prog_fd, program.fd);
  attr.set(k.bpf_attr_link_create.target_ifindex, target.index);
  attr.set(k.bpf_attr_link_create.attach_type, k.BPF_XDP);
  attr.set(k.bpf_attr_link_create.flags, modeFlags[mode]);
  return bpf(k.BPF_LINK_CREATE, attr);
}

function attachError(errno: number, mode: XdpMode, target: XdpTarget): SystemError {
  const init = { syscall: 'bpf(BPF_LINK_CREATE)', subject: target.name, errno, ...evidence(errno, target) };
  return new SystemError(`Cannot attach XDP program in ${mode} mode to`, init);
}

/** Looks at the interface for what stands behind an errno; finds nothing when that has changed meanwhile. */
function evidence(errno: number, { name, index }: XdpTarget): { errno?: number; hint?: string } {
  const { EBUSY, EEXIST, EINVAL, ENODEV } = constants.errno;
  if (errno !== EBUSY && errno !== EEXIST && errno !== EINVAL) return {};
  const found = links().find((each) => each.index === index);
  // NB: the kernel answers EINVAL, as to a program that the driver cannot take.
  if (!found) return { errno: ENODEV, hint: `No interface of this network namespace has index ${index}` };
  return found.xdp && errno !== EINVAL ? { hint: describeOccupant(name, found.xdp) } : {};
}

function describeOccupant(name: string, { programId, mode }: AttachedXdp): string {
  const remedy = `end the process that holds it, or detach it with \`ip link set dev ${name} xdp off\``;
  return `${describeProgram(programId)} is attached in ${mode} mode: ${remedy}`;
}

/** NB: it may have gone meanwhile, and asking for it needs CAP_SYS_ADMIN, which attaching does not. */
function describeProgram(id: number): string {
  try {
    const { name, wallLoadedAt, createdByUid } = programInfo(id);
    return `XDP program ${id} (${name || 'unnamed'}), loaded ${wallLoadedAt.toISOString()} by uid ${createdByUid},`;
  } catch {
    return `XDP program ${id}`;
  }
}
