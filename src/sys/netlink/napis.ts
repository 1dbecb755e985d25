import {
  NETDEV_A_NAPI_DEFER_HARD_IRQS,
  NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT,
  NETDEV_A_NAPI_ID,
  NETDEV_A_NAPI_IFINDEX,
  NETDEV_A_NAPI_IRQ,
  NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT,
  NETDEV_A_NAPI_PID,
  NETDEV_CMD_NAPI_GET,
  NETDEV_CMD_NAPI_SET,
} from '../uapi/index.ts';
import { type GenlFamily, genlAttributes, genlMessage } from './genl.ts';
import type { NetlinkMessage } from './message.ts';
import { withNetdev } from './netdev.ts';
import type { NetlinkSocket } from './socket.ts';

/** What polls one or more nicQueues when the device has work: an instance of the kernel's NAPI. */
export interface Napi {
  /** the kernel's number of it, unlike that of any other; drivers may make instances anew when they are set up anew */
  readonly id: number;
  /** undefined when it has none, or the driver does not tell */
  readonly irq: number | undefined;
  /** of the kernel thread that polls; undefined when the softirq does */
  readonly pid: number | undefined;
  /** empty polls before interrupts come back; undefined when the kernel does not tell */
  readonly deferHardIrqs: number | undefined;
  /** until the next poll without an interrupt; undefined when the kernel does not tell [ns] */
  readonly groFlushTimeoutNs: number | undefined;
  /** of interrupts while epoll finds events; undefined when the kernel does not tell [ns] */
  readonly irqSuspendTimeoutNs: number | undefined;
}

/** What {@link setNapi} changes; what is absent stays. */
export interface NapiChange {
  /** empty polls before interrupts come back, up to 2^31 - 1 */
  readonly deferHardIrqs?: number;
  /** [ns] */
  readonly groFlushTimeoutNs?: number;
  /** [ns] */
  readonly irqSuspendTimeoutNs?: number;
}

/**
 * Returns the NAPI instances of an interface of the calling thread's namespace: none while it is down, and on veth none
 * before a program or GRO needs them.
 *
 * @returns undefined where the kernel cannot tell
 * @throws SystemError ENODEV when the interface is missing
 * @source Documentation/netlink/specs/netdev.yaml, napi-get
 * @since Linux 6.8; the settings since 6.13
 */
export function napis(ifindex: number): Napi[] | undefined {
  return withNetdev(NETDEV_CMD_NAPI_GET, (socket, family) => listNapis(socket, family, ifindex));
}

/** {@link napis} over a socket that is open. */
export function listNapis(socket: NetlinkSocket, family: GenlFamily, ifindex: number): Napi[] {
  const action = {
    action: 'Cannot list NAPIs of',
    syscall: 'netlink(NETDEV_CMD_NAPI_GET)',
    subject: `interface ${ifindex}`,
  };
  const message = genlMessage(family.id, NETDEV_CMD_NAPI_GET).u32(NETDEV_A_NAPI_IFINDEX, ifindex);
  return socket.dump(action, message).map((reply) => {
    const attributes = genlAttributes(reply);
    return {
      id: attributes.u32(NETDEV_A_NAPI_ID) ?? 0,
      irq: attributes.u32(NETDEV_A_NAPI_IRQ),
      pid: attributes.u32(NETDEV_A_NAPI_PID),
      deferHardIrqs: attributes.u32(NETDEV_A_NAPI_DEFER_HARD_IRQS),
      groFlushTimeoutNs: attributes.uint(NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT),
      irqSuspendTimeoutNs: attributes.uint(NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT),
    };
  });
}

/** Changes a NAPI over a socket that is open; the kernel takes all of the change or nothing. @throws SystemError */
export function setNapi(socket: NetlinkSocket, family: GenlFamily, id: number, change: NapiChange): void {
  const action = {
    action: 'Cannot change',
    syscall: 'netlink(NETDEV_CMD_NAPI_SET)',
    subject: `NAPI ${id}`,
  };
  socket.request(action, napiMessage(family.id, id, change));
}

/** The request of {@link setNapi}. */
export function napiMessage(family: number, id: number, change: NapiChange): NetlinkMessage {
  const { deferHardIrqs, groFlushTimeoutNs, irqSuspendTimeoutNs } = change;
  const message = genlMessage(family, NETDEV_CMD_NAPI_SET).u32(NETDEV_A_NAPI_ID, id);
  if (deferHardIrqs !== undefined) message.u32(NETDEV_A_NAPI_DEFER_HARD_IRQS, deferHardIrqs);
  if (groFlushTimeoutNs !== undefined) message.uint(NETDEV_A_NAPI_GRO_FLUSH_TIMEOUT, groFlushTimeoutNs);
  if (irqSuspendTimeoutNs !== undefined) message.uint(NETDEV_A_NAPI_IRQ_SUSPEND_TIMEOUT, irqSuspendTimeoutNs);
  return message;
}
