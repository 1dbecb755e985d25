import {
  NETDEV_A_DEV_IFINDEX,
  NETDEV_A_DEV_XDP_FEATURES,
  NETDEV_A_DEV_XDP_RX_METADATA_FEATURES,
  NETDEV_A_DEV_XDP_ZC_MAX_SEGS,
  NETDEV_A_DEV_XSK_FEATURES,
  NETDEV_CMD_DEV_GET,
  NETDEV_XDP_ACT_BASIC,
  NETDEV_XDP_ACT_HW_OFFLOAD,
  NETDEV_XDP_ACT_NDO_XMIT,
  NETDEV_XDP_ACT_NDO_XMIT_SG,
  NETDEV_XDP_ACT_REDIRECT,
  NETDEV_XDP_ACT_RX_SG,
  NETDEV_XDP_ACT_XSK_ZEROCOPY,
  NETDEV_XDP_RX_METADATA_HASH,
  NETDEV_XDP_RX_METADATA_TIMESTAMP,
  NETDEV_XDP_RX_METADATA_VLAN_TAG,
  NETDEV_XSK_FLAGS_TX_CHECKSUM,
  NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO,
  NETDEV_XSK_FLAGS_TX_TIMESTAMP,
  NETLINK_GENERIC,
} from '../uapi/index.ts';
import { findFamily, type GenlFamily, genlAttributes, genlMessage } from './genl.ts';
import { NetlinkSocket } from './socket.ts';

/** What a driver can do for XDP programs, by the kernel's names. @source linux/netdev.h, enum netdev_xdp_act */
export type XdpFeature =
  | 'basic'
  | 'redirect'
  | 'ndo-xmit'
  | 'xsk-zerocopy'
  | 'hw-offload'
  | 'rx-sg'
  | 'ndo-xmit-sg';

/** What a driver tells an XDP program of a frame. @source linux/netdev.h, enum netdev_xdp_rx_metadata */
export type RxMetadataKind = 'timestamp' | 'hash' | 'vlan-tag';

/** What a driver does for frames of AF_XDP sockets on request. @source linux/netdev.h, enum netdev_xsk_flags */
export type XskFeature = 'tx-timestamp' | 'tx-checksum' | 'tx-launch-time-fifo';

const xdpFeatures: Readonly<Record<XdpFeature, number>> = {
  /** XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX in the driver */
  basic: NETDEV_XDP_ACT_BASIC,
  redirect: NETDEV_XDP_ACT_REDIRECT,
  /** frames may be redirected to it */
  'ndo-xmit': NETDEV_XDP_ACT_NDO_XMIT,
  'xsk-zerocopy': NETDEV_XDP_ACT_XSK_ZEROCOPY,
  'hw-offload': NETDEV_XDP_ACT_HW_OFFLOAD,
  /** frames of several buffers reach the program */
  'rx-sg': NETDEV_XDP_ACT_RX_SG,
  /** frames of several buffers may be redirected to it */
  'ndo-xmit-sg': NETDEV_XDP_ACT_NDO_XMIT_SG,
};

const rxMetadata: Readonly<Record<RxMetadataKind, number>> = {
  timestamp: NETDEV_XDP_RX_METADATA_TIMESTAMP,
  hash: NETDEV_XDP_RX_METADATA_HASH,
  'vlan-tag': NETDEV_XDP_RX_METADATA_VLAN_TAG,
};

const xskFeatures: Readonly<Record<XskFeature, number>> = {
  'tx-timestamp': NETDEV_XSK_FLAGS_TX_TIMESTAMP,
  'tx-checksum': NETDEV_XSK_FLAGS_TX_CHECKSUM,
  'tx-launch-time-fifo': NETDEV_XSK_FLAGS_TX_LAUNCH_TIME_FIFO,
};

/** What an interface's driver says that it can do for XDP. */
export interface NetdevInfo {
  /** what it can do as it is set up now: veth gains `ndo-xmit` with the program or the GRO of its peer */
  readonly xdpFeatures: ReadonlySet<XdpFeature>;
  readonly rxMetadata: ReadonlySet<RxMetadataKind>;
  readonly xskFeatures: ReadonlySet<XskFeature>;
  /** buffers that a frame may have with zero-copy; 0 without zero-copy */
  readonly zcMaxSegments: number;
}

/**
 * Returns what the driver of an interface of the calling thread's namespace can do for XDP.
 *
 * @returns undefined where the kernel cannot tell: it has no netlink family `netdev`
 * @throws SystemError ENODEV when the interface is missing
 * @source linux/netdev.h; Documentation/netlink/specs/netdev.yaml, dev-get
 * @since Linux 6.3
 */
export function netdevInfo(ifindex: number): NetdevInfo | undefined {
  return withNetdev(NETDEV_CMD_DEV_GET, (socket, { id }) => {
    const action = {
      action: 'Cannot read XDP features of',
      syscall: 'netlink(NETDEV_CMD_DEV_GET)',
      subject: `interface ${ifindex}`,
    };
    const message = genlMessage(id, NETDEV_CMD_DEV_GET).u32(NETDEV_A_DEV_IFINDEX, ifindex);
    const attributes = genlAttributes(socket.request(action, message)[0]!);
    return {
      xdpFeatures: named(xdpFeatures, attributes.uint(NETDEV_A_DEV_XDP_FEATURES)),
      rxMetadata: named(rxMetadata, attributes.uint(NETDEV_A_DEV_XDP_RX_METADATA_FEATURES)),
      xskFeatures: named(xskFeatures, attributes.uint(NETDEV_A_DEV_XSK_FEATURES)),
      zcMaxSegments: attributes.u32(NETDEV_A_DEV_XDP_ZC_MAX_SEGS) ?? 0,
    };
  });
}

/**
 * Runs `use` with a socket to the family `netdev` in the calling thread's namespace.
 *
 * @returns undefined, without running it, when the kernel has no such family or the family no such command
 */
export function withNetdev<T>(
  command: number,
  use: (socket: NetlinkSocket, family: GenlFamily) => T,
): T | undefined {
  using socket = new NetlinkSocket(NETLINK_GENERIC);
  const family = findFamily(socket, 'netdev');
  return family?.commands.has(command) ? use(socket, family) : undefined;
}

/** The names whose bits are set; bits of newer kernels have none here. */
function named<Name extends string>(bits: Readonly<Record<Name, number>>, mask = 0): ReadonlySet<Name> {
  return new Set((Object.keys(bits) as Name[]).filter((name) => (mask & bits[name]) !== 0));
}
