import { SystemError } from '../error.ts';
import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_ATTR_OP_ID,
  CTRL_ATTR_OPS,
  CTRL_CMD_GETFAMILY,
  GENL_ID_CTRL,
  genlmsghdr,
} from '../uapi/index.ts';
import { Attributes, NetlinkMessage } from './message.ts';
import type { NetlinkReply, NetlinkSocket } from './socket.ts';

/** Every family that we speak, and the control family itself, is at its first version. */
const VERSION = 1;

/** A family of generic netlink, as this kernel has it. */
export interface GenlFamily {
  /** the type of its messages: the kernel numbers families as they register */
  readonly id: number;
  /** the commands that it knows: asking costs one look instead of a refused request each */
  readonly commands: ReadonlySet<number>;
}

/**
 * Begins a request to a family: a netlink header, then
 *
 * ```
 *  0       1       2               4
 * +-------+-------+---------------+------------
 * | cmd   | ver.  | reserved      | attributes
 * +-------+-------+---------------+------------
 * ```
 *
 * @source linux/genetlink.h, struct genlmsghdr
 */
export function genlMessage(family: number, command: number): NetlinkMessage {
  const message = new NetlinkMessage(family, 0, genlmsghdr.sizeof);
  message.fixed.setUint8(genlmsghdr.cmd, command);
  message.fixed.setUint8(genlmsghdr.version, VERSION);
  return message;
}

/** Returns the attributes of a family's answer. */
export function genlAttributes({ body }: NetlinkReply): Attributes {
  return new Attributes(body, genlmsghdr.sizeof);
}

/**
 * Asks the kernel for a family by name, over a socket of `NETLINK_GENERIC`.
 *
 * @returns undefined when this kernel has no such family
 */
export function findFamily(socket: NetlinkSocket, name: string): GenlFamily | undefined {
  const action = {
    action: 'Cannot find netlink family',
    syscall: 'netlink(CTRL_CMD_GETFAMILY)',
    subject: name,
  };
  try {
    const message = genlMessage(GENL_ID_CTRL, CTRL_CMD_GETFAMILY).text(CTRL_ATTR_FAMILY_NAME, name);
    const [reply] = socket.request(action, message);
    return reply && readFamily(genlAttributes(reply));
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The list of commands is nested attributes numbered from 1. */
function readFamily(attributes: Attributes): GenlFamily {
  const list = attributes.nested(CTRL_ATTR_OPS);
  const commands = new Set<number>();
  for (let i = 1; list.has(i); i++) commands.add(list.nested(i).u32(CTRL_ATTR_OP_ID) ?? 0);
  return { id: attributes.u16(CTRL_ATTR_FAMILY_ID) ?? 0, commands };
}
