import { formatIp, parsePrefix } from '../ipAddress.ts';
import {
  IFA_ADDRESS,
  IFA_F_NODAD,
  IFA_FLAGS,
  IFA_LOCAL,
  ifaddrmsg,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_GETADDR,
  RTM_NEWADDR,
} from '../uapi/index.ts';
import { findLink } from './links.ts';
import { Attributes, NetlinkMessage } from './message.ts';
import { withNetlink } from './socket.ts';

/** An IP address of an interface. */
export interface InterfaceAddress {
  /** the interface's index */
  readonly index: number;
  readonly address: string;
  readonly prefixLen: number;
}

/** How {@link addAddress} adds. */
export interface AddAddressOptions {
  /** use an IPv6 address at once instead of probing for two seconds whether another host has it */
  readonly noDad?: boolean;
}

/**
 * Gives an interface of the calling thread's namespace an address, `10.0.0.1/24` or `fd00::1/64`.
 *
 * @throws SystemError EEXIST when it has that address, ENODEV when the interface is missing
 */
export function addAddress(name: string, prefix: string, options: AddAddressOptions = {}): void {
  const { family, bytes, prefixLen } = parsePrefix(prefix);
  const message = new NetlinkMessage(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifaddrmsg.sizeof);
  message.bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes);
  if (options.noDad) message.u32(IFA_FLAGS, IFA_F_NODAD);
  message.fixed.setUint8(ifaddrmsg.ifa_family, family);
  message.fixed.setUint8(ifaddrmsg.ifa_prefixlen, prefixLen);
  withNetlink((socket) => {
    message.fixed.setUint32(ifaddrmsg.ifa_index, findLink(socket, name).index, true);
    const subject = `${prefix} to ${name}`;
    socket.request({ action: 'Cannot add address', syscall: 'netlink(RTM_NEWADDR)', subject }, message);
  });
}

/** Returns the addresses of an interface, or of all, in the calling thread's namespace. */
export function addresses(name?: string): InterfaceAddress[] {
  const action = { action: 'Cannot list addresses', syscall: 'netlink(RTM_GETADDR)' };
  return withNetlink((socket) => {
    const index = name === undefined ? undefined : findLink(socket, name).index;
    const replies = socket.dump(action, new NetlinkMessage(RTM_GETADDR, 0, ifaddrmsg.sizeof));
    const all = replies.map(({ body }) => {
      const attributes = new Attributes(body, ifaddrmsg.sizeof);
      // IFA_ADDRESS is the other end on a point-to-point link; IPv6 has IFA_LOCAL only there.
      const bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS) ?? new Uint8Array(4);
      return {
        index: body.getUint32(ifaddrmsg.ifa_index, true),
        address: formatIp(bytes),
        prefixLen: body.getUint8(ifaddrmsg.ifa_prefixlen),
      };
    });
    return index === undefined ? all : all.filter((each) => each.index === index);
  });
}
