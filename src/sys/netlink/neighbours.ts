import { formatIp, formatMac, parseIp, parseMac } from '../ipAddress.ts';
import {
  NDA_DST,
  NDA_LLADDR,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NUD_PERMANENT,
  ndmsg,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from '../uapi/index.ts';
import { findLink } from './links.ts';
import { Attributes, NetlinkMessage } from './message.ts';
import { withNetlink } from './socket.ts';

/** Who has an IP address on a link. */
export interface Neighbour {
  readonly address: string;
  /** undefined while the kernel is still asking */
  readonly mac: string | undefined;
  /** set by hand, never asked for again */
  readonly permanent: boolean;
}

/**
 * Tells the kernel for good who has `address` on an interface, so that it never has to ask; replaces what it knew.
 *
 * @throws SystemError ENODEV when the interface is missing
 */
export function addNeighbour(name: string, address: string, mac: string): void {
  const { family, bytes } = parseIp(address);
  const message = new NetlinkMessage(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ndmsg.sizeof);
  message.bytes(NDA_DST, bytes).bytes(NDA_LLADDR, parseMac(mac));
  message.fixed.setUint8(ndmsg.ndm_family, family);
  message.fixed.setUint16(ndmsg.ndm_state, NUD_PERMANENT, true);
  withNetlink((socket) => {
    message.fixed.setInt32(ndmsg.ndm_ifindex, findLink(socket, name).index, true);
    const subject = `${address} to ${name}`;
    socket.request({ action: 'Cannot add neighbour', syscall: 'netlink(RTM_NEWNEIGH)', subject }, message);
  });
}

/** Returns the neighbours on an interface of the calling thread's namespace. */
export function neighbours(name: string): Neighbour[] {
  const action = { action: 'Cannot list neighbours of', syscall: 'netlink(RTM_GETNEIGH)', subject: name };
  return withNetlink((socket) => {
    const { index } = findLink(socket, name);
    return socket
      .dump(action, new NetlinkMessage(RTM_GETNEIGH, 0, ndmsg.sizeof))
      .filter(({ body }) => body.getInt32(ndmsg.ndm_ifindex, true) === index)
      .map(({ body }) => {
        const attributes = new Attributes(body, ndmsg.sizeof);
        const mac = attributes.bytes(NDA_LLADDR);
        return {
          address: formatIp(attributes.bytes(NDA_DST) ?? new Uint8Array(4)),
          mac: mac && formatMac(mac),
          permanent: (body.getUint16(ndmsg.ndm_state, true) & NUD_PERMANENT) !== 0,
        };
      });
  });
}
