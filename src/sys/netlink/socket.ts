import { constants } from 'node:os';
import { libc } from '../../ffi/index.ts';
import { check, SystemError, type SystemErrorInit } from '../error.ts';
import { Fd } from '../fd.ts';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MSG,
  nlmsgerr,
  nlmsghdr,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
} from '../uapi/index.ts';
import { Attributes, type NetlinkMessage } from './message.ts';

/** Messages of a dump come in pieces of at most so many bytes. @source net/netlink/af_netlink.c, netlink_dump */
const RECEIVE_LEN = 64 << 10;
/** A dump that the kernel had to interrupt because its table changed is asked for again, so often. */
const DUMP_TRIES = 10;

/** One message of the kernel's answer. */
export interface NetlinkReply {
  /** `RTM_NEWLINK`, … */
  readonly type: number;
  /** what follows the header */
  readonly body: DataView;
}

/** What a request does and to what, for its error. */
export type NetlinkAction = Pick<SystemErrorInit, 'syscall' | 'subject' | 'hint'> & {
  readonly action: string;
};

/** A way to ask the kernel about, and to change, the network namespace that the calling thread was in at opening. */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd;
  readonly #memory: Uint8Array<ArrayBuffer> = new Uint8Array(RECEIVE_LEN);
  #sequence = 0;

  /**
   * @param protocol - `NETLINK_GENERIC` for generic netlink
   * @throws SystemError when no socket is to be had
   */
  constructor(protocol: number = NETLINK_ROUTE) {
    const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    this.#fd = new Fd(check(fd, 'Cannot open netlink socket', 'socket(AF_NETLINK)'), 'netlink socket');
    const on = new Uint32Array([1]);
    // Refused by kernels before 4.20, which then say less about errors and filter dumps less strictly.
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) {
      libc.setsockopt(fd, SOL_NETLINK, option, on, 4);
    }
  }

  /**
   * Sends a request and waits for the kernel's answer.
   *
   * @returns the messages that came before the acknowledgement: the object asked for, or none
   * @throws SystemError with the kernel's own words when it refuses
   */
  request(action: NetlinkAction, message: NetlinkMessage): NetlinkReply[] {
    return this.#exchange(action, message, NLM_F_REQUEST | NLM_F_ACK).replies;
  }

  /**
   * Reads a whole table of the kernel, again when it changed on the way.
   *
   * @throws SystemError EINTR when it changed each time
   */
  dump(action: NetlinkAction, message: NetlinkMessage): NetlinkReply[] {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      const { replies, interrupted } = this.#exchange(action, message, NLM_F_REQUEST | NLM_F_DUMP);
      if (!interrupted) return replies;
    }
    throw failure(action, constants.errno.EINTR);
  }

  /** Closes the socket. Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #exchange(action: NetlinkAction, message: NetlinkMessage, flags: number): Answer {
    const sequence = ++this.#sequence;
    const bytes = message.finish(flags, sequence);
    if (libc.sendto(this.#fd.fd, bytes, bytes.length, 0, null, 0) < 0) throw failure(action);
    const replies: NetlinkReply[] = [];
    let interrupted = false;
    for (;;) {
      for (const reply of this.#receive(action)) {
        if (reply.sequence !== sequence) continue;
        if ((reply.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (reply.type === NLMSG_DONE || reply.type === NLMSG_ERROR) {
          throwIfRefused(action, reply);
          return { replies, interrupted };
        }
        replies.push(reply);
      }
    }
  }

  /** Waits for the next piece of the answer and cuts it into messages. */
  #receive(action: NetlinkAction): Received[] {
    const len = libc.recvfrom(this.#fd.fd, this.#memory, RECEIVE_LEN, 0, null, null);
    if (len < 0 && libc.errno() === constants.errno.EINTR) return [];
    if (len < 0) throw failure(action);
    const { buffer } = this.#memory.slice(0, len);
    const messages: Received[] = [];
    for (let at = 0; at + nlmsghdr.sizeof <= len; ) {
      const header = new DataView(buffer, at);
      const size = header.getUint32(nlmsghdr.nlmsg_len, true);
      messages.push({
        type: header.getUint16(nlmsghdr.nlmsg_type, true),
        flags: header.getUint16(nlmsghdr.nlmsg_flags, true),
        sequence: header.getUint32(nlmsghdr.nlmsg_seq, true),
        body: new DataView(buffer, at + nlmsghdr.sizeof, size - nlmsghdr.sizeof),
      });
      at += (size + 3) & ~3;
    }
    return messages;
  }
}

interface Received extends NetlinkReply {
  readonly flags: number;
  readonly sequence: number;
}

interface Answer {
  readonly replies: NetlinkReply[];
  readonly interrupted: boolean;
}

function failure(action: NetlinkAction, errno?: number, detail?: string): SystemError {
  const { action: what, ...rest } = action;
  return new SystemError(what, {
    ...rest,
    ...(errno === undefined ? {} : { errno }),
    ...(detail === undefined ? {} : { detail }),
  });
}

/** @source linux/netlink.h, struct nlmsgerr and NLMSGERR_ATTR_MSG */
function throwIfRefused(action: NetlinkAction, { type, flags, body }: Received): void {
  const result = body.byteLength < 4 ? 0 : body.getInt32(nlmsgerr.error, true);
  if (result >= 0) return;
  const start = type === NLMSG_DONE ? 4 : nlmsgerr.sizeof;
  const words = (flags & NLM_F_ACK_TLVS) === 0 ? undefined : new Attributes(body, start);
  throw failure(action, -result, words?.text(NLMSGERR_ATTR_MSG));
}

/** Runs `use` with a socket of its own in the calling thread's namespace. */
export function withNetlink<T>(use: (socket: NetlinkSocket) => T): T {
  using socket = new NetlinkSocket();
  return use(socket);
}
