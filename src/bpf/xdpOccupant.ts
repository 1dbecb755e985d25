import { type AttachedXdp, Fd, type Link, links, SystemError } from '../sys/index.ts';
import { linkMessage } from '../sys/netlink/linkChange.ts';
import { withNetlink } from '../sys/netlink/socket.ts';
import * as k from '../sys/uapi/index.ts';
import { BpfStruct, bpf } from './bpfCall.ts';
import { type BpfHolder, linkHolders, programHolders } from './holders.ts';
import { openProgram, programInfo, readObjectInfo } from './programInfo.ts';

/** The interface that is asked about, in the calling thread's namespace. */
type Target = Pick<Link, 'name' | 'index'>;

/** A link that holds an XDP program on an interface with this index, in some namespace. */
interface XdpLinkFound extends Disposable {
  readonly id: number;
  readonly fd: Fd;
}

/**
 * Tells what is attached to an interface, for humans: id, name, when it was loaded and by whom, and which processes
 * hold it; undefined when nothing is.
 *
 * `XDP program 12 (xdp_pass), loaded 2026-01-31T12:00:00.000Z by uid 0, attached in native mode by process 77 (node)`
 */
export function describeOccupant(target: Target): string | undefined {
  const found = attachedTo(target);
  return found && describe(target, found);
}

/**
 * Takes the XDP program of somebody else off an interface, and returns what {@link describeOccupant} told of it;
 * undefined when there is none.
 *
 * A link is detached: its holder keeps a descriptor that does nothing any more. What was attached by netlink is taken
 * off by netlink, unless it has changed meanwhile.
 *
 * @throws SystemError EPERM without CAP_SYS_ADMIN, and EBUSY when one of several links may be the one in question
 */
export function detachOccupant(target: Target): string | undefined {
  const found = attachedTo(target);
  if (!found) return undefined;
  const description = describe(target, found);
  if (!detachByNetlink(target, found)) detachLink(target, found, description);
  return description;
}

/** `-1` for a descriptor: none is to be attached. */
const NO_PROGRAM = 0xffff_ffff;
const EBUSY = 16;
const ENOENT = 2;
/** what the kernel says of a link that somebody is just making */
const EAGAIN = 11;

function attachedTo({ index }: Target): AttachedXdp | undefined {
  return links().find((each) => each.index === index)?.xdp;
}

function describe(target: Target, { programId, mode }: AttachedXdp): string {
  return `${describeProgram(programId)}, attached in ${mode} mode${describeHolders(target, programId)}`;
}

/** NB: it may have gone meanwhile, and asking for it needs CAP_SYS_ADMIN, which attaching does not. */
function describeProgram(id: number): string {
  try {
    const { name, wallLoadedAt, createdByUid } = programInfo(id);
    return `XDP program ${id} (${name || 'unnamed'}), loaded ${wallLoadedAt.toISOString()} by uid ${createdByUid}`;
  } catch {
    return `XDP program ${id}`;
  }
}

function describeHolders(target: Target, programId: number): string {
  let holders: readonly BpfHolder[];
  try {
    const found = linksOf(target, programId);
    for (const each of found) each[Symbol.dispose]();
    holders = found.length === 0 ? programHolders(programId) : linkHolders(found.map(({ id }) => id));
  } catch {
    return '';
  }
  const names = holders.map(({ pid, name }) => `${pid} (${name})`);
  if (names.length === 0) return '';
  return ` by ${names.length === 1 ? 'process' : 'processes'} ${names.join(', ')}`;
}

/** Returns the links that hold this program on an interface with this index. @throws SystemError EPERM */
function linksOf({ index }: Target, programId: number): XdpLinkFound[] {
  const found: XdpLinkFound[] = [];
  for (let id = nextLinkId(0); id !== undefined; id = nextLinkId(id)) {
    const fd = openLink(id);
    if (!fd) continue;
    const info = new BpfStruct(k.bpf_link_info.sizeof);
    readObjectInfo(fd.fd, info, `BPF link ${id}`);
    const wanted =
      info.get(k.bpf_link_info.type) === k.BPF_LINK_TYPE_XDP &&
      info.get(k.bpf_link_info.xdp) === index &&
      info.get(k.bpf_link_info.prog_id) === programId;
    if (wanted) found.push({ id, fd, [Symbol.dispose]: () => fd.close() });
    else fd.close();
  }
  return found;
}

function nextLinkId(id: number): number | undefined {
  const attr = new BpfStruct(k.bpf_attr_get_id.sizeof);
  attr.set(k.bpf_attr_get_id.start_id, id);
  const result = bpf(k.BPF_LINK_GET_NEXT_ID, attr);
  if (result === -ENOENT) return undefined;
  refuse(result, 'Cannot list BPF links', 'BPF_LINK_GET_NEXT_ID');
  return attr.get(k.bpf_attr_get_id.next_id);
}

/** Returns undefined for a link that has gone meanwhile, or is not finished. */
function openLink(id: number): Fd | undefined {
  const attr = new BpfStruct(k.bpf_attr_get_id.sizeof);
  attr.set(k.bpf_attr_get_id.link_id, id);
  const result = bpf(k.BPF_LINK_GET_FD_BY_ID, attr);
  if (result === -ENOENT || result === -EAGAIN) return undefined;
  refuse(result, 'Cannot open BPF link', 'BPF_LINK_GET_FD_BY_ID', String(id));
  return new Fd(result, `BPF link ${id}`);
}

/** Returns false when the program is held by a link, which netlink must not touch. */
function detachByNetlink({ name, index }: Target, { programId, mode }: AttachedXdp): boolean {
  using expected = openProgram(programId);
  const modeFlag = mode === 'generic' ? k.XDP_FLAGS_SKB_MODE : k.XDP_FLAGS_DRV_MODE;
  const message = linkMessage(0, index);
  message.nested(k.IFLA_XDP, () => {
    message.u32(k.IFLA_XDP_FD, NO_PROGRAM);
    message.u32(k.IFLA_XDP_EXPECTED_FD, expected.fd);
    message.u32(k.IFLA_XDP_FLAGS, modeFlag | k.XDP_FLAGS_REPLACE);
  });
  const action = { action: 'Cannot detach XDP program from', syscall: 'netlink(RTM_NEWLINK)', subject: name };
  try {
    withNetlink((socket) => socket.request(action, message));
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EBUSY') return false;
    throw error;
  }
}

function detachLink(target: Target, { programId }: AttachedXdp, description: string): void {
  using holding = new DisposableStack();
  const candidates = linksOf(target, programId).map((each) => holding.use(each));
  const [link] = candidates;
  if (!link || candidates.length > 1) {
    // NB: of a link's interface the kernel tells the index alone, which another namespace may have as well.
    const ids = candidates.map(({ id }) => id).join(', ');
    throw new SystemError('Cannot replace XDP program on', {
      syscall: 'bpf(BPF_LINK_DETACH)',
      errno: EBUSY,
      subject: target.name,
      hint: `${description}, by one of the links ${ids || '(none)'} on interfaces with index ${target.index}: end the process that holds it`,
    });
  }
  const attr = new BpfStruct(k.bpf_attr_link_detach.sizeof);
  attr.set(k.bpf_attr_link_detach.link_fd, link.fd.fd);
  refuse(bpf(k.BPF_LINK_DETACH, attr), 'Cannot detach XDP program from', 'BPF_LINK_DETACH', target.name);
}

function refuse(result: number, action: string, command: string, subject?: string): void {
  if (result >= 0) return;
  throw new SystemError(action, {
    syscall: `bpf(${command})`,
    errno: -result,
    ...(subject === undefined ? {} : { subject }),
  });
}
