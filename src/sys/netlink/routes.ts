import { formatIp, parseIp, parsePrefix } from '../ipAddress.ts';
import {
  AF_INET,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTA_DST,
  RTA_GATEWAY,
  RTA_OIF,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_UNICAST,
  RTPROT_STATIC,
  rtmsg,
} from '../uapi/index.ts';
import { findLink } from './links.ts';
import { Attributes, NetlinkMessage } from './message.ts';
import { withNetlink } from './socket.ts';

/** A route of the main table: where packets for `destination` go. */
export interface Route {
  /** `10.0.0.0/8`; `0.0.0.0/0` or `::/0` for the rest of the world */
  readonly destination: string;
  /** the next hop; absent when the destination is on the link */
  readonly via?: string;
  /** the interface; the kernel finds it by `via` when absent */
  readonly interface?: string;
}

/**
 * Adds a route to the main table of the calling thread's namespace.
 *
 * @throws SystemError EEXIST when there is one, ENETUNREACH when `via` is on no link, ENODEV without the interface
 */
export function addRoute(route: Route): void {
  const { family, bytes, prefixLen } = parsePrefix(route.destination);
  const message = new NetlinkMessage(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, rtmsg.sizeof);
  const onLink = route.via === undefined && family === AF_INET;
  message.fixed.setUint8(rtmsg.rtm_family, family);
  message.fixed.setUint8(rtmsg.rtm_dst_len, prefixLen);
  message.fixed.setUint8(rtmsg.rtm_table, RT_TABLE_MAIN);
  message.fixed.setUint8(rtmsg.rtm_protocol, RTPROT_STATIC);
  message.fixed.setUint8(rtmsg.rtm_scope, onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  message.fixed.setUint8(rtmsg.rtm_type, RTN_UNICAST);
  if (prefixLen > 0) message.bytes(RTA_DST, bytes);
  if (route.via !== undefined) message.bytes(RTA_GATEWAY, parseIp(route.via).bytes);
  withNetlink((socket) => {
    if (route.interface !== undefined) message.u32(RTA_OIF, findLink(socket, route.interface).index);
    const subject = route.destination;
    socket.request({ action: 'Cannot add route to', syscall: 'netlink(RTM_NEWROUTE)', subject }, message);
  });
}

/** A route as the kernel lists it. */
export interface ListedRoute {
  readonly destination: string;
  readonly via: string | undefined;
  /** index of the interface; undefined for a route over several */
  readonly index: number | undefined;
}

/** Returns the unicast routes of the main table of the calling thread's namespace. */
export function routes(): ListedRoute[] {
  const action = { action: 'Cannot list routes', syscall: 'netlink(RTM_GETROUTE)' };
  const replies = withNetlink((socket) =>
    socket.dump(action, new NetlinkMessage(RTM_GETROUTE, 0, rtmsg.sizeof)),
  );
  return replies
    .filter(({ body }) => body.getUint8(rtmsg.rtm_table) === RT_TABLE_MAIN)
    .filter(({ body }) => body.getUint8(rtmsg.rtm_type) === RTN_UNICAST)
    .map(({ body }) => {
      const attributes = new Attributes(body, rtmsg.sizeof);
      const len = body.getUint8(rtmsg.rtm_family) === AF_INET ? 4 : 16;
      const via = attributes.bytes(RTA_GATEWAY);
      return {
        destination: `${formatIp(attributes.bytes(RTA_DST) ?? new Uint8Array(len))}/${body.getUint8(rtmsg.rtm_dst_len)}`,
        via: via && formatIp(via),
        index: attributes.u32(RTA_OIF),
      };
    });
}
