/**
 * Netlink: the kernel's interfaces, addresses, routes and neighbours, and what drivers say of XDP and NAPI.
 *
 * Job: read and change them in the network namespace of the calling thread, as `ip link`, `ip address`, `ip route` and
 * `ip neighbour` do (rtnetlink), and ask the family `netdev` of generic netlink.
 *
 * Data: `NetlinkMessage` builds a request, `Attributes` reads an answer, `NetlinkSocket` carries both. Each function
 * opens a socket of its own: a socket belongs for ever to the namespace in which it was opened.
 *
 * Invariants
 * - A refusal is a SystemError with the kernel's own words (extended acknowledgement) behind the code.
 * - A missing interface is ENODEV, and the hint names those that are there.
 * - What a kernel has no family or command for is undefined: it is asked, its version never looked up.
 * - A listing that the kernel had to interrupt is read again, never returned in part.
 *
 * Not here: what only ethtool knows (`ethtool.ts`), notifications of changes.
 *
 * References: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/netdev.h,
 * Documentation/userspace-api/netlink/intro.rst.
 */
export { formatMac, parseMac } from '../ipAddress.ts';
export type { AddAddressOptions, InterfaceAddress } from './addresses.ts';
export { addAddress, addresses } from './addresses.ts';
export type { LinkChange } from './linkChange.ts';
export { deleteLink, setLink } from './linkChange.ts';
export type { AttachedXdp, Link } from './links.ts';
export { checkLinkName, link, links } from './links.ts';
export type { Napi, NapiChange } from './napis.ts';
export { napis } from './napis.ts';
export type { Neighbour } from './neighbours.ts';
export { addNeighbour, neighbours } from './neighbours.ts';
export type { NetdevInfo, RxMetadataKind, XdpFeature, XskFeature } from './netdev.ts';
export { netdevInfo } from './netdev.ts';
export type { NicQueue } from './nicQueues.ts';
export { nicQueues } from './nicQueues.ts';
export type { ListedRoute, Route } from './routes.ts';
export { addRoute, routes } from './routes.ts';
export type { VethPairSpec } from './veth.ts';
export { createVethPair } from './veth.ts';
