import {
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from '../sys/uapi/index.ts';
import type { Uring } from './ring.ts';

//   0       1       2       4               8                              16                             24              28
//  +-------+-------+-------+---------------+------------------------------+------------------------------+---------------+----
//  | opcode| flags | ioprio| fd            | offset, or a second address  | address                      | length        | op's flags
//  +-------+-------+-------+---------------+------------------------------+------------------------------+---------------+----
//   32                             40      42      44              48
//  +------------------------------+-------+-------+---------------+--------
//  | user data                    | group | creds | fixed file    | …
//  +------------------------------+-------+-------+---------------+--------
// Words of an entry:
const FD = 1;
/** Of what has no address: an offset, a length, a count. */
export const OFFSET = 2;
const ADDRESS = 4;
const LEN = 6;
const OP_FLAGS = 7;
const USER_DATA = 8;
const GROUP = 10;
const TWO_32 = 2 ** 32;

/** How an entry is treated; bits for {@link mark}. */
export const EntryFlags: Readonly<
  Record<'link' | 'hardLink' | 'drain' | 'fixedFile' | 'quiet' | 'async', number>
> = {
  /** the next entry begins when this one has succeeded; when it fails the rest of the chain is cancelled */
  link: IOSQE_IO_LINK,
  /** the next entry begins when this one is over, however */
  hardLink: IOSQE_IO_HARDLINK,
  /** begins when all before it are over, and all behind it wait for it */
  drain: IOSQE_IO_DRAIN,
  /** its descriptor is the index of a registered file */
  fixedFile: IOSQE_FIXED_FILE,
  /** no completion unless it fails; NB: a ring that had one such refuses to drain from then on (EOPNOTSUPP) */
  quiet: IOSQE_CQE_SKIP_SUCCESS,
  /** goes to a worker thread of the kernel at once */
  async: IOSQE_ASYNC,
};

/**
 * Adds flags to an entry that a `prep…` function returned.
 *
 * @param flags - bits of {@link EntryFlags}
 * @hot
 */
export function mark(ring: Uring, at: number, flags: number): void {
  ring.sqes[at]! |= flags << 8;
}

/**
 * Has the kernel take a buffer of a group for what the entry receives.
 *
 * @param group - number of a provided buffer ring, 0 to 65535
 * @hot
 */
export function selectBuffer(ring: Uring, at: number, group: number): void {
  mark(ring, at, IOSQE_BUFFER_SELECT);
  ring.sqes[at + GROUP] = group;
}

/**
 * Writes the next entry; every `prep…` function is one of its forms.
 *
 * @param ptr - native address of what the operation reads or writes
 * @param lo - user data, low half; comes back with the completion
 * @param hi - user data, high half
 * @returns the entry, for {@link mark}; -1 when the ring is full: submit first
 * @hot
 */
export function prep(
  ring: Uring,
  opcode: number,
  fd: number,
  ptr: number,
  len: number,
  flags: number,
  lo: number,
  hi: number,
): number {
  const at = ring.next();
  if (at < 0) return -1;
  const sqes = ring.sqes;
  sqes[at] = opcode;
  sqes[at + FD] = fd;
  sqes[at + ADDRESS] = ptr;
  sqes[at + ADDRESS + 1] = ptr / TWO_32;
  sqes[at + LEN] = len;
  sqes[at + OP_FLAGS] = flags;
  sqes[at + USER_DATA] = lo;
  sqes[at + USER_DATA + 1] = hi;
  return at;
}

/** Completes an entry by an offset, or what else stands there. @returns `at` @hot */
export function withOffset(ring: Uring, at: number, offset: number): number {
  if (at < 0) return -1;
  ring.sqes[at + OFFSET] = offset;
  ring.sqes[at + OFFSET + 1] = offset < 0 ? -1 : offset / TWO_32;
  return at;
}

/** Completes an entry by the user data of another. @returns `at` @hot */
export function withTarget(ring: Uring, at: number, lo: number, hi: number): number {
  if (at < 0) return -1;
  ring.sqes[at + ADDRESS] = lo;
  ring.sqes[at + ADDRESS + 1] = hi;
  return at;
}

/** Adds flags of the operation's own kind to an entry. @returns `at` @hot */
export function withPriority(ring: Uring, at: number, flags: number): number {
  if (at >= 0) ring.sqes[at]! |= flags << 16;
  return at;
}
