import { parseMac } from '../ipAddress.ts';
import type { NetworkNamespace } from '../netns.ts';
import {
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_TXQLEN,
  ifinfomsg,
  RTM_DELLINK,
  RTM_NEWLINK,
} from '../uapi/index.ts';
import { checkLinkName, findLink } from './links.ts';
import { NetlinkMessage } from './message.ts';
import { withNetlink } from './socket.ts';

/** What {@link setLink} changes; what is absent stays. */
export interface LinkChange {
  readonly up?: boolean;
  /** [bytes] */
  readonly mtu?: number;
  readonly mac?: string;
  /** frames that wait to be sent, at most; of a tap, those that wait to be read */
  readonly txQueueLen?: number;
  /** a new name; the interface must be down */
  readonly name?: string;
  /** the namespace to move to; addresses and routes are lost on the way */
  readonly namespace?: NetworkNamespace;
}

/** Changes an interface of the calling thread's namespace. @throws SystemError ENODEV when it is missing */
export function setLink(name: string, change: LinkChange): void {
  withNetlink((socket) => {
    const message = linkMessage(0, findLink(socket, name).index);
    if (change.up !== undefined) {
      message.fixed.setUint32(ifinfomsg.ifi_flags, change.up ? IFF_UP : 0, true);
      message.fixed.setUint32(ifinfomsg.ifi_change, IFF_UP, true);
    }
    describeLink(message, change);
    socket.request({ action: 'Cannot change', syscall: 'netlink(RTM_NEWLINK)', subject: name }, message);
  });
}

/** Removes an interface, and with a veth its peer. @throws SystemError ENODEV when it is missing */
export function deleteLink(name: string): void {
  withNetlink((socket) => {
    const message = new NetlinkMessage(RTM_DELLINK, 0, ifinfomsg.sizeof);
    message.fixed.setInt32(ifinfomsg.ifi_index, findLink(socket, name).index, true);
    socket.request({ action: 'Cannot delete', syscall: 'netlink(RTM_DELLINK)', subject: name }, message);
  });
}

/** Begins a request that makes (index 0) or changes an interface. */
export function linkMessage(flags: number, index: number): NetlinkMessage {
  const message = new NetlinkMessage(RTM_NEWLINK, flags, ifinfomsg.sizeof);
  message.fixed.setInt32(ifinfomsg.ifi_index, index, true);
  return message;
}

/** Appends what is to be of an interface. */
export function describeLink(message: NetlinkMessage, change: LinkChange): void {
  if (change.name !== undefined) message.text(IFLA_IFNAME, checkLinkName(change.name));
  if (change.mtu !== undefined) message.u32(IFLA_MTU, change.mtu);
  if (change.txQueueLen !== undefined) message.u32(IFLA_TXQLEN, change.txQueueLen);
  if (change.mac !== undefined) message.bytes(IFLA_ADDRESS, parseMac(change.mac));
  if (change.namespace !== undefined) message.u32(IFLA_NET_NS_FD, change.namespace.fd);
}
