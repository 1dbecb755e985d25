import {
  NETDEV_A_QUEUE_ID,
  NETDEV_A_QUEUE_IFINDEX,
  NETDEV_A_QUEUE_NAPI_ID,
  NETDEV_A_QUEUE_TYPE,
  NETDEV_A_QUEUE_XSK,
  NETDEV_CMD_QUEUE_GET,
  NETDEV_QUEUE_TYPE_TX,
} from '../uapi/index.ts';
import { type GenlFamily, genlAttributes, genlMessage } from './genl.ts';
import { withNetdev } from './netdev.ts';
import type { NetlinkSocket } from './socket.ts';

/** A nicQueue and who serves it. */
export interface NicQueue {
  readonly id: number;
  /** receiving and transmitting queues are numbered apart */
  readonly type: 'rx' | 'tx';
  /** id of the NAPI that polls it; undefined when the driver does not tell (veth does not) */
  readonly napiId: number | undefined;
  /** an AF_XDP socket is bound to it, in whatever mode */
  readonly xsk: boolean;
}

/**
 * Returns the nicQueues of an interface of the calling thread's namespace; none while it is down.
 *
 * @returns undefined where the kernel cannot tell
 * @throws SystemError ENODEV when the interface is missing
 * @source Documentation/netlink/specs/netdev.yaml, queue-get
 * @since Linux 6.8; `xsk` since 6.15
 */
export function nicQueues(ifindex: number): NicQueue[] | undefined {
  return withNetdev(NETDEV_CMD_QUEUE_GET, (socket, family) => listNicQueues(socket, family, ifindex));
}

/** {@link nicQueues} over a socket that is open. */
export function listNicQueues(socket: NetlinkSocket, family: GenlFamily, ifindex: number): NicQueue[] {
  const action = {
    action: 'Cannot list queues of',
    syscall: 'netlink(NETDEV_CMD_QUEUE_GET)',
    subject: `interface ${ifindex}`,
  };
  const message = genlMessage(family.id, NETDEV_CMD_QUEUE_GET).u32(NETDEV_A_QUEUE_IFINDEX, ifindex);
  return socket.dump(action, message).map((reply) => {
    const attributes = genlAttributes(reply);
    return {
      id: attributes.u32(NETDEV_A_QUEUE_ID) ?? 0,
      type: attributes.u32(NETDEV_A_QUEUE_TYPE) === NETDEV_QUEUE_TYPE_TX ? 'tx' : 'rx',
      napiId: attributes.u32(NETDEV_A_QUEUE_NAPI_ID),
      xsk: attributes.has(NETDEV_A_QUEUE_XSK),
    };
  });
}
