import {
  IORING_ACCEPT_MULTISHOT,
  IORING_OP_ACCEPT,
  IORING_OP_BIND,
  IORING_OP_CONNECT,
  IORING_OP_LISTEN,
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_OP_SEND,
  IORING_OP_SEND_ZC,
  IORING_OP_SENDMSG,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SHUTDOWN,
  IORING_OP_SOCKET,
  IORING_RECV_MULTISHOT,
} from '../sys/uapi/index.ts';
import { prep, selectBuffer, withOffset, withPriority } from './entry.ts';
import type { Uring } from './ring.ts';

/**
 * Accepts a connection; the result is its descriptor.
 *
 * @param flags - SOCK_NONBLOCK, SOCK_CLOEXEC
 * @hot
 * @source accept4(2)
 */
export function prepAccept(ring: Uring, fd: number, flags: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_ACCEPT, fd, 0, 0, flags, lo, hi);
}

/** Accepts connection after connection, a completion each, until one says that no more come. @hot @since Linux 5.19 */
export function prepAcceptMultishot(ring: Uring, fd: number, flags: number, lo: number, hi: number): number {
  return withPriority(ring, prepAccept(ring, fd, flags, lo, hi), IORING_ACCEPT_MULTISHOT);
}

/** Connects to the address at `ptr`. [struct sockaddr of `len` bytes] @hot @source connect(2) */
export function prepConnect(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  lo: number,
  hi: number,
): number {
  return withOffset(ring, prep(ring, IORING_OP_CONNECT, fd, ptr, 0, 0, lo, hi), len);
}

/** Receives up to `len` bytes to `ptr`; the result is how many, 0 at the end. @hot @source recv(2) */
export function prepRecv(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_RECV, fd, ptr, len, flags, lo, hi);
}

/**
 * Receives again and again, each time into a buffer of a group, until a completion says that no more come.
 *
 * @hot
 * @since Linux 6.0
 */
export function prepRecvMultishot(
  ring: Uring,
  fd: number,
  group: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  const at = withPriority(ring, prepRecv(ring, fd, 0, 0, flags, lo, hi), IORING_RECV_MULTISHOT);
  if (at >= 0) selectBuffer(ring, at, group);
  return at;
}

/** Sends `len` bytes from `ptr`; the result is how many were taken. @hot @source send(2) */
export function prepSend(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_SEND, fd, ptr, len, flags, lo, hi);
}

/**
 * Sends without a copy: two completions, of which the second (IORING_CQE_F_NOTIF) says that the memory is ours again.
 *
 * @hot
 * @since Linux 6.0
 */
export function prepSendZeroCopy(
  ring: Uring,
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_SEND_ZC, fd, ptr, len, flags, lo, hi);
}

/** Receives a message as the struct msghdr at `ptr` says. @hot @source recvmsg(2) */
export function prepRecvmsg(
  ring: Uring,
  fd: number,
  ptr: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_RECVMSG, fd, ptr, 1, flags, lo, hi);
}

/**
 * Receives message after message, each into a buffer of a group, behind a struct io_uring_recvmsg_out; the struct msghdr
 * at `ptr` says how much room name and control data get.
 *
 * @hot
 * @since Linux 6.0
 */
export function prepRecvmsgMultishot(
  ring: Uring,
  fd: number,
  ptr: number,
  group: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  const at = withPriority(ring, prepRecvmsg(ring, fd, ptr, flags, lo, hi), IORING_RECV_MULTISHOT);
  if (at >= 0) selectBuffer(ring, at, group);
  return at;
}

/** Sends a message as the struct msghdr at `ptr` says. @hot @source sendmsg(2) */
export function prepSendmsg(
  ring: Uring,
  fd: number,
  ptr: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_SENDMSG, fd, ptr, 1, flags, lo, hi);
}

/** {@link prepSendmsg} without a copy, completed as {@link prepSendZeroCopy}. @hot @since Linux 6.1 */
export function prepSendmsgZeroCopy(
  ring: Uring,
  fd: number,
  ptr: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return prep(ring, IORING_OP_SENDMSG_ZC, fd, ptr, 1, flags, lo, hi);
}

/** Shuts a connection down. @param how - SHUT_RD 0, SHUT_WR 1 or SHUT_RDWR 2 @hot @source shutdown(2) */
export function prepShutdown(ring: Uring, fd: number, how: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_SHUTDOWN, fd, 0, how, 0, lo, hi);
}

/** Opens a socket; the result is its descriptor. @hot @source socket(2) @since Linux 5.19 */
export function prepSocket(
  ring: Uring,
  family: number,
  type: number,
  protocol: number,
  lo: number,
  hi: number,
): number {
  return withOffset(ring, prep(ring, IORING_OP_SOCKET, family, 0, protocol, 0, lo, hi), type);
}

/** Gives a socket the address at `ptr`. [struct sockaddr of `len` bytes] @hot @source bind(2) @since Linux 6.11 */
export function prepBind(ring: Uring, fd: number, ptr: number, len: number, lo: number, hi: number): number {
  return withOffset(ring, prep(ring, IORING_OP_BIND, fd, ptr, 0, 0, lo, hi), len);
}

/** Has a socket listen. @hot @source listen(2) @since Linux 6.11 */
export function prepListen(ring: Uring, fd: number, backlog: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_LISTEN, fd, 0, backlog, 0, lo, hi);
}
