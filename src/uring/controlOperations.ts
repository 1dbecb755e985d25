import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_ASYNC_CANCEL_FD,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_MSG_RING,
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
  IORING_POLL_ADD_MULTI,
} from '../sys/uapi/index.ts';
import { OFFSET, prep, withOffset, withTarget } from './entry.ts';
import type { Uring } from './ring.ts';

/**
 * Cancels the operations with this user data; the result is 0, -ENOENT when there is none, or -EALREADY.
 *
 * @param targetLo - user data of what to cancel
 * @hot
 */
export function prepCancel(ring: Uring, targetLo: number, targetHi: number, lo: number, hi: number): number {
  return withTarget(ring, prep(ring, IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0, lo, hi), targetLo, targetHi);
}

/** Cancels all operations on a descriptor; the result is how many. @hot @since Linux 5.19 */
export function prepCancelFd(ring: Uring, fd: number, lo: number, hi: number): number {
  const flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
  return prep(ring, IORING_OP_ASYNC_CANCEL, fd, 0, 0, flags, lo, hi);
}

/** Cancels all operations of the ring; the result is how many. @hot @since Linux 5.19 */
export function prepCancelAll(ring: Uring, lo: number, hi: number): number {
  const flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  return prep(ring, IORING_OP_ASYNC_CANCEL, -1, 0, 0, flags, lo, hi);
}

/** Completes when one of `events` (POLLIN, POLLOUT …) holds; the result is which. @hot @source poll(2) */
export function prepPoll(ring: Uring, fd: number, events: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_POLL_ADD, fd, 0, 0, events, lo, hi);
}

/** {@link prepPoll} again and again, until a completion says that no more come. @hot @since Linux 5.13 */
export function prepPollMultishot(ring: Uring, fd: number, events: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_POLL_ADD, fd, 0, IORING_POLL_ADD_MULTI, events, lo, hi);
}

/** Ends a poll with this user data. @hot */
export function prepPollRemove(
  ring: Uring,
  targetLo: number,
  targetHi: number,
  lo: number,
  hi: number,
): number {
  return withTarget(ring, prep(ring, IORING_OP_POLL_REMOVE, -1, 0, 0, 0, lo, hi), targetLo, targetHi);
}

/**
 * Completes with -ETIME when the time at `ptr` is over, or with 0 after `count` other completions, unless that is 0.
 *
 * @param ptr - a struct timespec of two i64, seconds and nanoseconds; read when submitted
 * @hot
 */
export function prepTimeout(
  ring: Uring,
  ptr: number,
  count: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  return withOffset(ring, prep(ring, IORING_OP_TIMEOUT, -1, ptr, 1, flags, lo, hi), count);
}

/** Cancels the linked entry before it when the time at `ptr` is over first. @hot */
export function prepLinkTimeout(ring: Uring, ptr: number, flags: number, lo: number, hi: number): number {
  return prep(ring, IORING_OP_LINK_TIMEOUT, -1, ptr, 1, flags, lo, hi);
}

/** Ends a timeout with this user data. @hot */
export function prepTimeoutRemove(
  ring: Uring,
  targetLo: number,
  targetHi: number,
  lo: number,
  hi: number,
): number {
  return withTarget(ring, prep(ring, IORING_OP_TIMEOUT_REMOVE, -1, 0, 0, 0, lo, hi), targetLo, targetHi);
}

/**
 * Puts a completion on another ring, which wakes whoever waits for it.
 *
 * @param fd - of the other ring
 * @param result - what the completion there has as its result
 * @param targetLo - and as its user data
 * @hot
 * @since Linux 5.18
 */
export function prepMsgRing(
  ring: Uring,
  fd: number,
  result: number,
  targetLo: number,
  targetHi: number,
  lo: number,
  hi: number,
): number {
  const at = prep(ring, IORING_OP_MSG_RING, fd, 0, result, 0, lo, hi);
  if (at < 0) return -1;
  ring.sqes[at + OFFSET] = targetLo;
  ring.sqes[at + OFFSET + 1] = targetHi;
  return at;
}
