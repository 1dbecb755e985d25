import { libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import { parseIp } from './ipAddress.ts';
import { link } from './netlink/index.ts';
import { writeSockaddr } from './socketAddress.ts';
import {
  AF_INET,
  group_req,
  group_source_req,
  IPPROTO_IP,
  IPPROTO_IPV6,
  MCAST_JOIN_GROUP,
  MCAST_JOIN_SOURCE_GROUP,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
} from './uapi/index.ts';

/** What multicast group to join. */
export interface GroupSpec {
  /** in the calling thread's network namespace */
  readonly interface: string;
  /** `239.1.2.3`, `ff15::1` */
  readonly group: string;
  /** the only sender to join it for (source-specific multicast); any when absent */
  readonly source?: string;
}

/**
 * A multicast group that an interface is a member of, for as long as this object is open.
 *
 * The kernel lets the group's frames in, reports the membership to the network (IGMP, MLD), answers queries about it and
 * takes it back at the end, also after kill -9. It does so for a socket that is never read: the frames are for whoever
 * takes them off the interface. Each group has a socket of its own, since the kernel limits the groups of one.
 *
 * Several memberships of one group add up: of several sources to those sources, and with one of any source to all.
 *
 * @source ip(7), ipv6(7); linux/in.h, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP; RFC 3376, RFC 3810
 */
export class GroupMembership implements Disposable {
  readonly interface: string;
  readonly group: string;
  /** undefined when it is for any */
  readonly source: string | undefined;
  readonly #socket: Fd;

  /**
   * Joins the group; needs no privilege.
   *
   * @throws TypeError when the group is no multicast address, or the source none of its IP version
   * @throws SystemError ENODEV when the interface is missing or has no such IP, ENOBUFS, ENOMEM
   */
  constructor(spec: GroupSpec) {
    const subject = `${spec.group} on ${spec.interface}`;
    const { family, request } = encodeGroup(spec, link(spec.interface).index);
    const fd = libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(fd, 'Cannot open socket for group', 'socket(UDP)', subject);
    using cleanup = new DisposableStack();
    const socket = cleanup.use(new Fd(fd, `membership of ${subject}`));
    const level = family === AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    const [option, name] =
      spec.source === undefined
        ? [MCAST_JOIN_GROUP, 'MCAST_JOIN_GROUP']
        : [MCAST_JOIN_SOURCE_GROUP, 'MCAST_JOIN_SOURCE_GROUP'];
    const result = libc.setsockopt(socket.fd, level, option, request, request.byteLength);
    check(result, 'Cannot join group', `setsockopt(${name})`, subject);
    cleanup.move();
    this.interface = spec.interface;
    this.group = spec.group;
    this.source = spec.source;
    this.#socket = socket;
  }

  /** Leaves the group. Idempotent. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Returns the group's family and the request to join it: struct group_req, or group_source_req with a source. */
function encodeGroup(
  { group, source }: GroupSpec,
  ifindex: number,
): { family: number; request: DataView<ArrayBuffer> } {
  const { family, bytes } = parseIp(group);
  const multicast = family === AF_INET ? bytes[0]! >>> 4 === 0xe : bytes[0] === 0xff;
  if (!multicast) {
    throw new TypeError(`Cannot join group: want an address of 224.0.0.0/4 or ff00::/8, got ${group}`);
  }
  if (source !== undefined && parseIp(source).family !== family) {
    throw new TypeError(`Cannot join group ${group}: want a source of its IP version, got ${source}`);
  }
  const len = source === undefined ? group_req.sizeof : group_source_req.sizeof;
  const request = new DataView(new ArrayBuffer(len));
  // struct group_source_req begins as struct group_req does.
  request.setUint32(group_req.gr_interface, ifindex, true);
  writeSockaddr(request, group_req.gr_group, { address: group, port: 0 });
  if (source !== undefined) {
    writeSockaddr(request, group_source_req.gsr_source, { address: source, port: 0 });
  }
  return { family, request };
}
