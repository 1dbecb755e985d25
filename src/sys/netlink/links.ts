import { constants } from 'node:os';
import { SystemError } from '../error.ts';
import { formatMac } from '../ipAddress.ts';
import {
  IFF_LOOPBACK,
  IFF_RUNNING,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
  IFLA_PROMISCUITY,
  IFLA_TXQLEN,
  IFLA_XDP,
  IFLA_XDP_ATTACHED,
  IFLA_XDP_DRV_PROG_ID,
  IFLA_XDP_PROG_ID,
  IFNAMSIZ,
  ifinfomsg,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
  XDP_ATTACHED_DRV,
  XDP_ATTACHED_HW,
  XDP_ATTACHED_MULTI,
  XDP_ATTACHED_SKB,
} from '../uapi/index.ts';
import { Attributes, NetlinkMessage } from './message.ts';
import { type NetlinkAction, type NetlinkReply, type NetlinkSocket, withNetlink } from './socket.ts';

/** Longest name of an interface, without the terminating zero. */
const NAME_LEN = IFNAMSIZ - 1;

/** An XDP program that is attached to an interface. */
export interface AttachedXdp {
  /** where it runs; `several` when the kernel has more than one mode in use at once */
  readonly mode: 'native' | 'generic' | 'offload' | 'several';
  /** the kernel's id of the program, of the driver's when there are several */
  readonly programId: number;
}

/** What the kernel knows of an interface. */
export interface Link {
  readonly name: string;
  readonly index: number;
  /** `02:00:00:00:00:01`; undefined when the interface has no hardware address */
  readonly mac: string | undefined;
  /** [bytes] */
  readonly mtu: number;
  /** frames that wait to be sent, at most */
  readonly txQueueLen: number;
  /** told to be up */
  readonly up: boolean;
  /** up and with carrier; true up to a second after the carrier came */
  readonly running: boolean;
  readonly loopback: boolean;
  /** receive queues that the device was made with */
  readonly rxQueues: number;
  /** transmit queues that the device was made with */
  readonly txQueues: number;
  /** how many want it promiscuous: frames for any address come in while there is one */
  readonly promiscuity: number;
  /** `veth`, `bridge`, …; undefined for hardware */
  readonly kind: string | undefined;
  /** undefined when none is attached */
  readonly xdp: AttachedXdp | undefined;
}

const LIST: NetlinkAction = { action: 'Cannot list interfaces', syscall: 'netlink(RTM_GETLINK)' };

/** Returns the interfaces of the calling thread's namespace, by index. */
export function links(): Link[] {
  return withNetlink(listLinks);
}

/**
 * Returns an interface of the calling thread's namespace.
 *
 * @throws SystemError ENODEV, with the names of those that are there, when it is missing
 */
export function link(name: string): Link {
  return withNetlink((socket) => findLink(socket, name));
}

/** {@link link} over a socket that is open. */
export function findLink(socket: NetlinkSocket, name: string): Link {
  checkLinkName(name);
  const all = listLinks(socket);
  const found = all.find((each) => each.name === name);
  if (found) return found;
  throw new SystemError('Cannot find interface', {
    syscall: LIST.syscall,
    subject: name,
    errno: constants.errno.ENODEV,
    hint: `This network namespace has ${all.map((each) => each.name).join(', ')}`,
  });
}

/**
 * Returns `name` when an interface can have it.
 *
 * NB: the kernel would cut a longer name in some requests and find another interface.
 *
 * @throws TypeError when none can
 */
export function checkLinkName(name: string): string {
  if (name === '' || name.length > NAME_LEN || /[\s/]/.test(name)) {
    throw new TypeError(
      `Cannot use interface name: want 1 to ${NAME_LEN} characters, no space or slash, got "${name}"`,
    );
  }
  return name;
}

function listLinks(socket: NetlinkSocket): Link[] {
  const message = new NetlinkMessage(RTM_GETLINK, 0, ifinfomsg.sizeof);
  message.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return socket.dump(LIST, message).map(readLink);
}

function readLink({ body }: NetlinkReply): Link {
  const flags = body.getUint32(ifinfomsg.ifi_flags, true);
  const attributes = new Attributes(body, ifinfomsg.sizeof);
  const mac = attributes.bytes(IFLA_ADDRESS);
  return {
    name: attributes.text(IFLA_IFNAME) ?? '',
    index: body.getInt32(ifinfomsg.ifi_index, true),
    mac: mac && mac.length > 0 ? formatMac(mac) : undefined,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    txQueueLen: attributes.u32(IFLA_TXQLEN) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    rxQueues: attributes.u32(IFLA_NUM_RX_QUEUES) ?? 1,
    txQueues: attributes.u32(IFLA_NUM_TX_QUEUES) ?? 1,
    promiscuity: attributes.u32(IFLA_PROMISCUITY) ?? 0,
    kind: attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND),
    xdp: readXdp(attributes.nested(IFLA_XDP)),
  };
}

const modes: Readonly<Record<number, AttachedXdp['mode']>> = {
  [XDP_ATTACHED_DRV]: 'native',
  [XDP_ATTACHED_SKB]: 'generic',
  [XDP_ATTACHED_HW]: 'offload',
  [XDP_ATTACHED_MULTI]: 'several',
};

function readXdp(attributes: Attributes): AttachedXdp | undefined {
  const mode = modes[attributes.u8(IFLA_XDP_ATTACHED) ?? 0];
  if (mode === undefined) return undefined;
  return { mode, programId: attributes.u32(IFLA_XDP_PROG_ID) ?? attributes.u32(IFLA_XDP_DRV_PROG_ID) ?? 0 };
}
