import { libc } from '../ffi/index.ts';
import { SystemError } from './error.ts';
import {
  SO_BUSY_POLL,
  SO_BUSY_POLL_BUDGET,
  SO_INCOMING_NAPI_ID,
  SO_PREFER_BUSY_POLL,
  SOL_SOCKET,
} from './uapi/index.ts';

/** The busy-poll options of a socket. */
export interface BusyPollOptions {
  /** how long a blocking call polls; 0 is off [µs] */
  readonly usecs: number;
  /** frames that one poll takes at most; 0 is the kernel's 8 */
  readonly budget: number;
  /** interrupts stay off while somebody polls within the interface's gro_flush_timeout */
  readonly prefer: boolean;
}

/** What the kernel made of {@link setBusyPoll}. */
export interface EffectiveBusyPoll extends BusyPollOptions {
  /** a line for each option that the kernel refused */
  readonly reasons: readonly string[];
}

const OPTIONS = [
  ['prefer', 'SO_PREFER_BUSY_POLL', SO_PREFER_BUSY_POLL],
  ['usecs', 'SO_BUSY_POLL', SO_BUSY_POLL],
  ['budget', 'SO_BUSY_POLL_BUDGET', SO_BUSY_POLL_BUDGET],
] as const;

/**
 * Sets the busy-poll options of a socket, of AF_XDP or any other, and reads back what it can.
 *
 * An option that the kernel refuses stays as it was, with a reason. `prefer` and every budget above the present one, 0
 * at first, need CAP_NET_ADMIN.
 *
 * @source socket(7); net/core/sock.c, sk_setsockopt
 * @since Linux 5.11
 */
export function setBusyPoll(fd: number, options: BusyPollOptions): EffectiveBusyPoll {
  const value = new Int32Array(1);
  const reasons: string[] = [];
  const now: Record<'prefer' | 'usecs' | 'budget', number> = { prefer: 0, usecs: 0, budget: 0 };
  for (const [key, name, option] of OPTIONS) {
    value[0] = Number(options[key]);
    const taken = libc.setsockopt(fd, SOL_SOCKET, option, value, 4) === 0;
    if (!taken) {
      const failure = { syscall: `setsockopt(${name})`, subject: `with ${key} ${options[key]}` };
      reasons.push(new SystemError('Cannot busy-poll', failure).message);
    }
    // NB: no kernel tells the budget back.
    now[key] = readOption(fd, option) ?? (taken ? value[0]! : 0);
  }
  return { usecs: now.usecs, budget: now.budget, prefer: now.prefer !== 0, reasons };
}

/**
 * Returns the id of the NAPI that a socket polls; without one, busy polling does nothing.
 *
 * A UDP socket has that of the last datagram. An AF_XDP socket keeps its first: up to Linux 6.12 that of its first
 * frame, where the driver polls by NAPI; since then that which the driver named for the nicQueue at bind, so
 * none on veth; and never any in generic mode.
 *
 * @returns 0 when it has none, or not yet
 * @source socket(7), SO_INCOMING_NAPI_ID; net/xdp/xsk.c, xsk_bind
 */
export function incomingNapi(fd: number): number {
  return readOption(fd, SO_INCOMING_NAPI_ID) ?? 0;
}

/** Undefined where the kernel does not tell. */
function readOption(fd: number, option: number): number | undefined {
  const value = new Int32Array(1);
  return libc.getsockopt(fd, SOL_SOCKET, option, value, new Uint32Array([4])) < 0 ? undefined : value[0]!;
}
