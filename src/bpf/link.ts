import { constants } from 'node:os';
import { Fd, type Link, links, SystemError } from '../sys/index.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import { pinObject } from './pin.ts';
import type { BpfProgram } from './program.ts';
import { readObjectInfo } from './programInfo.ts';
import type { ProgramSpec } from './programSpec.ts';
import { describeOccupant, detachOccupant } from './xdpOccupant.ts';

/**
 * Where an XDP program runs: `native` in the driver, before the kernel makes a packet of the frame; `generic` after that,
 * on any interface, and slower.
 */
export type XdpMode = 'native' | 'generic';

/** The interface to attach to, in the calling thread's namespace. */
export type XdpTarget = Pick<Link, 'name' | 'index'>;

/** What to do about a program that is attached already. */
export interface XdpAttachOptions {
  /** take it off, whoever it belongs to, and tell so in {@link XdpLink.replaced}; default false: refuse, and name it */
  readonly replace?: boolean;
}

/** What the kernel tells of a link. */
export interface XdpLinkInfo {
  readonly id: number;
  readonly programId: number;
  /** 0 when the interface is gone */
  readonly ifindex: number;
}

const ACTION = 'Cannot attach XDP program';

const modeFlags: Record<XdpMode, number> = {
  native: k.XDP_FLAGS_DRV_MODE,
  generic: k.XDP_FLAGS_SKB_MODE,
};

/** What the kernel answers when there is a program already, in this mode or in another. */
const OCCUPIED: ReadonlySet<string> = new Set(['EBUSY', 'EEXIST']);

/** What a driver answers when it cannot run programs, or not as it is set up now: generic mode may still work. */
const DRIVER_REFUSALS: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'EINVAL', 'ERANGE', 'ENOMEM', 'ENOSPC']);

/**
 * An XDP program attached to an interface.
 *
 * The kernel detaches it when the link is closed, also by the end of the process, kill -9 included; a link that was
 * pinned on request is the exception.
 *
 * @since Linux 5.9
 */
export class XdpLink implements Disposable {
  /** what the program runs in */
  readonly mode: XdpMode;
  /** why it is generic although native was tried; undefined when as asked */
  readonly modeReason: string | undefined;
  /** the program of somebody else that was taken off on request: its id, name, age and holder; undefined when none */
  readonly replaced: string | undefined;
  readonly #fd: Fd;
  readonly #subject: string;
  #pinned = false;

  private constructor({ fd, mode, modeReason }: Attached, subject: string, replaced: string | undefined) {
    this.#fd = new Fd(fd, `XDP link of ${subject}`);
    this.mode = mode;
    this.modeReason = modeReason;
    this.replaced = replaced;
    this.#subject = subject;
  }

  /**
   * Attaches a program to an interface.
   *
   * Replacing a program leaves a moment in which frames go to the kernel. {@link XdpLink.replaced} tells what it was.
   *
   * @param mode - `auto` tries native mode and falls back to generic, which {@link XdpLink.modeReason} reports; a
   *   program that is bound to its device runs in native mode only
   * @throws SystemError EBUSY or EEXIST when there is an XDP program already; the message names it and who holds it
   * @throws SystemError ENODEV without such an interface, EPERM without CAP_NET_ADMIN (to replace: CAP_SYS_ADMIN),
   *   EOPNOTSUPP when `mode` is `native` and the driver cannot, ERANGE when frames may be too long for the program
   */
  static attach(
    program: BpfProgram,
    target: XdpTarget,
    mode: XdpMode | 'auto' = 'auto',
    { replace = false }: XdpAttachOptions = {},
  ): XdpLink {
    let attached = tryModes(program, target, mode);
    let replaced: string | undefined;
    if (replace && attached instanceof SystemError && OCCUPIED.has(attached.code)) {
      replaced = detachOccupant(target);
      attached = tryModes(program, target, mode);
    }
    if (attached instanceof SystemError) throw withReplaced(attached, replaced);
    return new XdpLink(attached, target.name, replaced);
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

  /**
   * Gives the link a name in a BPF file system: from then on neither {@link XdpLink.close} nor the end of the process
   * detaches the program, but removing the file.
   *
   * @throws SystemError EEXIST, ENOENT, and EPERM when `path` is in no BPF file system
   */
  pin(path: string): void {
    pinObject(this.#fd.fd, path, `link of ${this.#subject}`);
    this.#pinned = true;
  }

  /** Detaches the program, unless the link is pinned. Idempotent. */
  close(): void {
    if (this.#fd.closed) return;
    if (!this.#pinned) this.#detach();
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #detach(): void {
    // NB: closing detaches with the last descriptor only, and a child process between fork and exec has one too.
    const attr = new BpfStruct(k.bpf_attr_link_detach.sizeof);
    attr.set(k.bpf_attr_link_detach.link_fd, this.#fd.fd);
    bpf(k.BPF_LINK_DETACH, attr);
  }
}

interface Attached {
  readonly fd: number;
  readonly mode: XdpMode;
  readonly modeReason: string | undefined;
}

function tryModes(program: BpfProgram, target: XdpTarget, mode: XdpMode | 'auto'): Attached | SystemError {
  const first = mode === 'auto' ? 'native' : mode;
  const fd = create(program, target, first);
  if (fd >= 0) return { fd, mode: first, modeReason: undefined };
  const error = attachError(-fd, first, program, target);
  const final = mode !== 'auto' || program.spec.boundTo !== undefined;
  if (final || !DRIVER_REFUSALS.has(error.code)) return error;
  const genericFd = create(program, target, 'generic');
  if (genericFd >= 0) return { fd: genericFd, mode: 'generic', modeReason: error.message };
  return attachError(-genericFd, 'generic', program, target);
}

/** A program that was taken off stays off when ours could not be attached: the error must tell. */
function withReplaced(error: SystemError, replaced: string | undefined): SystemError {
  if (replaced === undefined) return error;
  return new SystemError(`${ACTION}, after another was taken off, to`, {
    syscall: error.syscall,
    errno: -error.errno,
    subject: error.subject ?? '',
    hint: [error.hint, `Taken off and not put back: ${replaced}`].filter(Boolean).join('. '),
  });
}

function create(program: BpfProgram, target: XdpTarget, mode: XdpMode): number {
  const attr = new BpfStruct(k.bpf_attr_link_create.sizeof);
  attr.set(k.bpf_attr_link_create.prog_fd, program.fd);
  attr.set(k.bpf_attr_link_create.target_ifindex, target.index);
  attr.set(k.bpf_attr_link_create.attach_type, k.BPF_XDP);
  attr.set(k.bpf_attr_link_create.flags, modeFlags[mode]);
  return bpf(k.BPF_LINK_CREATE, attr);
}

function attachError(errno: number, mode: XdpMode, program: BpfProgram, target: XdpTarget): SystemError {
  return new SystemError(`${ACTION} in ${mode} mode to`, {
    syscall: 'bpf(BPF_LINK_CREATE)',
    subject: target.name,
    errno,
    ...evidence(errno, mode, program.spec, target),
  });
}

/** Looks for what stands behind an errno, since the kernel says no more; finds nothing when that has changed meanwhile. */
function evidence(
  errno: number,
  mode: XdpMode,
  { boundTo, frags }: ProgramSpec,
  target: XdpTarget,
): { errno?: number; hint?: string } {
  const { EBUSY, EEXIST, EINVAL, ENODEV, ERANGE } = constants.errno;
  if (errno === EBUSY || errno === EEXIST) {
    const occupant = describeOccupant(target);
    if (occupant === undefined) return {};
    const remedy = `detach it with \`ip link set dev ${target.name} xdp off\`, or ask to \`replace\` it`;
    return { hint: `${occupant}: end the process that holds it, ${remedy}` };
  }
  if (errno === ERANGE && !frags) {
    return {
      hint: "The mtu, a veth's that of its peer, is too large for one buffer: lower it, or take frames in several buffers (`frags`, of a port `multibuffer`)",
    };
  }
  if (errno !== EINVAL) return {};
  // NB: the kernel answers EINVAL, as to a program that the driver cannot take.
  if (!links().some((each) => each.index === target.index)) {
    return { errno: ENODEV, hint: `No interface of this network namespace has index ${target.index}` };
  }
  if (boundTo !== undefined && boundTo !== target.index) {
    return { hint: `It is bound to the interface with index ${boundTo}, this one has ${target.index}` };
  }
  if (boundTo !== undefined && mode === 'generic') {
    return { hint: 'It is bound to a device, to ask its driver, which generic mode comes too late for' };
  }
  return {};
}
