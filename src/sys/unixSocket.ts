import { addressOf, libc } from '../ffi/index.ts';
import { check } from './error.ts';
import { Fd } from './fd.ts';
import {
  AF_UNIX,
  cmsghdr,
  iovec,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  msghdr,
  SCM_RIGHTS,
  SO_PEERCRED,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOL_SOCKET,
  ucred,
} from './uapi/index.ts';
import { encodeUnixAddress } from './unixAddress.ts';

/** Most descriptors that a message brings; the kernel closes what is beyond. */
const MAX_FDS = 8;
/** Longest message. [bytes] */
const MAX_LEN = 4096;

// One struct msghdr for every socket of this isolate: a call fills it, makes the system call and reads the answer.
const IOVEC = msghdr.sizeof;
const CONTROL = IOVEC + iovec.sizeof;
const CONTROL_LEN = cmsghdr.sizeof + MAX_FDS * 4;
const DATA = CONTROL + CONTROL_LEN;
const memory = new ArrayBuffer(DATA + MAX_LEN);
const header = new DataView(memory);
const words = new Int32Array(memory);
const data = new Uint8Array(memory, DATA);
const ptr = addressOf(memory);

/** One message as it came. */
export interface UnixMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** descriptors that came with it, close-on-exec; the receiver's to close */
  readonly fds: readonly Fd[];
  /** some of it is lost: it was longer than 4096 bytes, or brought more descriptors than are taken */
  readonly truncated: boolean;
}

/** The process at the other end, as it was when it connected or listened. */
export interface PeerCredentials {
  /** 0 when it is in a pid namespace that ours does not show */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * A connected AF_UNIX socket of messages (SOCK_SEQPACKET) that may carry descriptors. Never blocks.
 *
 * @source unix(7)
 */
export class UnixSocket implements Disposable {
  readonly #fd: Fd;

  /** Takes ownership of `fd`. */
  constructor(fd: Fd) {
    this.#fd = fd;
  }

  /**
   * Connects to who listens on `path`.
   *
   * @returns a negative errno when nobody takes the call: -ENOENT, -ECONNREFUSED, -EAGAIN for too many that wait, -EACCES
   * @throws RangeError when the path is none
   */
  static connect(path: string): UnixSocket | number {
    const address = encodeUnixAddress(path);
    using cleanup = new DisposableStack();
    const fd = cleanup.use(openUnix(path));
    if (libc.connect(fd.fd, address, address.length) < 0) return -libc.errno();
    cleanup.move();
    return new UnixSocket(fd);
  }

  /** Readable when a message, or the end, is there. */
  get fd(): number {
    return this.#fd.fd;
  }

  /**
   * Sends one message, whole or not at all.
   *
   * @param fds - descriptors that go with it; they stay the sender's to close
   * @returns bytes sent, or a negative errno: -EAGAIN when the peer does not read, -EPIPE when it is gone
   * @throws RangeError when it is too long, or has too many descriptors
   */
  send(bytes: Uint8Array, fds: readonly number[] = []): number {
    if (bytes.length > MAX_LEN || fds.length > MAX_FDS) {
      throw new RangeError(
        `Cannot send message: want up to ${MAX_LEN} bytes and ${MAX_FDS} descriptors, got ${bytes.length} and ${fds.length}`,
      );
    }
    data.set(bytes);
    const rights = cmsghdr.sizeof + fds.length * 4;
    prepare(bytes.length, fds.length === 0 ? 0 : rights);
    header.setUint32(CONTROL + cmsghdr.cmsg_len, rights, true);
    header.setUint32(CONTROL + cmsghdr.cmsg_len + 4, 0, true);
    header.setInt32(CONTROL + cmsghdr.cmsg_level, SOL_SOCKET, true);
    header.setInt32(CONTROL + cmsghdr.cmsg_type, SCM_RIGHTS, true);
    words.set(fds, (CONTROL + cmsghdr.sizeof) / 4);
    const sent = libc.sendmsg(this.fd, header, MSG_NOSIGNAL);
    return sent < 0 ? -libc.errno() : sent;
  }

  /**
   * Takes the next message.
   *
   * @returns 0 at the end, when the peer has closed (or sent a message of no bytes); a negative errno, -EAGAIN when
   *   nothing is there
   */
  receive(): UnixMessage | number {
    prepare(MAX_LEN, CONTROL_LEN);
    const len = libc.recvmsg(this.fd, header, MSG_CMSG_CLOEXEC | MSG_TRUNC);
    if (len < 0) return -libc.errno();
    const fds = takeFds();
    if (len === 0) {
      for (const fd of fds) fd.close();
      return 0;
    }
    const flags = header.getInt32(msghdr.msg_flags, true);
    const truncated = (flags & (MSG_CTRUNC | MSG_TRUNC)) !== 0;
    return { bytes: data.slice(0, Math.min(len, MAX_LEN)), fds, truncated };
  }

  /** Tells who is at the other end. @source SO_PEERCRED, socket(7) */
  peer(): PeerCredentials {
    const value = new Int32Array(ucred.sizeof / 4);
    const result = libc.getsockopt(this.fd, SOL_SOCKET, SO_PEERCRED, value, new Uint32Array([ucred.sizeof]));
    check(result, 'Cannot tell peer of AF_UNIX socket', 'getsockopt(SO_PEERCRED)');
    return { pid: value[0]!, uid: value[1]!, gid: value[2]! };
  }

  /**
   * Closes the socket; what was sent may still be read. Idempotent.
   *
   * NB: had we left messages unread, the peer would get ECONNRESET instead of what we sent last; so they are taken first,
   * as many as a socket holds.
   */
  close(): void {
    if (this.#fd.closed) return;
    for (let i = 0; i < 1024; i++) {
      const message = this.receive();
      if (typeof message === 'number') break;
      for (const fd of message.fds) fd.close();
    }
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens an AF_UNIX socket of messages that never blocks. */
export function openUnix(path: string): Fd {
  const number = libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return new Fd(check(number, 'Cannot open socket', 'socket(AF_UNIX)', path), `AF_UNIX socket ${path}`);
}

/** Fills the struct msghdr: one buffer, and room for control messages unless `controlLen` is 0. */
function prepare(len: number, controlLen: number): void {
  words.fill(0, 0, DATA / 4);
  header.setBigUint64(msghdr.msg_iov, BigInt(ptr + IOVEC), true);
  header.setUint32(msghdr.msg_iovlen, 1, true);
  header.setBigUint64(IOVEC + iovec.iov_base, BigInt(ptr + DATA), true);
  header.setUint32(IOVEC + iovec.iov_len, len, true);
  if (controlLen === 0) return;
  header.setBigUint64(msghdr.msg_control, BigInt(ptr + CONTROL), true);
  header.setUint32(msghdr.msg_controllen, controlLen, true);
}

/** Takes ownership of the descriptors that the kernel has just put into the control buffer. */
function takeFds(): Fd[] {
  const controlLen = header.getUint32(msghdr.msg_controllen, true);
  // We ask for no other kind of control message, so there is one or none.
  if (controlLen < cmsghdr.sizeof) return [];
  if (header.getInt32(CONTROL + cmsghdr.cmsg_level, true) !== SOL_SOCKET) return [];
  if (header.getInt32(CONTROL + cmsghdr.cmsg_type, true) !== SCM_RIGHTS) return [];
  const len = header.getUint32(CONTROL + cmsghdr.cmsg_len, true) - cmsghdr.sizeof;
  const first = (CONTROL + cmsghdr.sizeof) / 4;
  return [...words.subarray(first, first + len / 4)].map((fd) => new Fd(fd, 'descriptor of a peer'));
}
