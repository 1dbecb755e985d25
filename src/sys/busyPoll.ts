import { libc } from '../ffi/index.ts';
import { SystemError } from './error.ts';
import { deferInterrupts, type InterruptDeferral } from './interruptDeferral.ts';
import {
  SO_BUSY_POLL,
  SO_BUSY_POLL_BUDGET,
  SO_INCOMING_NAPI_ID,
  SO_PREFER_BUSY_POLL,
  SOL_SOCKET,
} from './uapi/index.ts';

/** How a socket is polled; what is absent is as {@link BUSY_POLL} says. */
export interface BusyPollSpec {
  /** how long a blocking call polls [µs]; for calls that never block any value but 0 means yes */
  readonly usecs?: number;
  /** frames that one poll takes from the device at most */
  readonly budget?: number;
  /** polls without work before the interrupt is enabled again */
  readonly deferHardIrqs?: number;
  /** when the kernel polls by itself unless we have [ns] */
  readonly groFlushTimeoutNs?: number;
}

/** Busy polling unless told otherwise: what the kernel's documentation of AF_XDP and of NAPI shows. */
export const BUSY_POLL: Required<BusyPollSpec> = {
  usecs: 20,
  budget: 64,
  deferHardIrqs: 2,
  groFlushTimeoutNs: 200_000,
};

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
 * Sets the busy-poll options of a socket, of AF_XDP or any other, and reads back what they are.
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
    if (libc.setsockopt(fd, SOL_SOCKET, option, value, 4) < 0) {
      const error = new SystemError('Cannot busy-poll', {
        syscall: `setsockopt(${name})`,
        subject: `with ${key} ${options[key]}`,
      });
      reasons.push(error.message);
    }
    now[key] = readOption(fd, option);
  }
  return { usecs: now.usecs, budget: now.budget, prefer: now.prefer !== 0, reasons };
}

/**
 * Returns the NAPI that a socket polls: that of the last frame it received.
 *
 * @returns 0 before the first frame, and for ever where frames come without one, as those of generic XDP do: such a
 *   socket cannot busy-poll
 * @source socket(7), SO_INCOMING_NAPI_ID
 */
export function incomingNapi(fd: number): number {
  return readOption(fd, SO_INCOMING_NAPI_ID);
}

/** 0 where the kernel does not know the option. */
function readOption(fd: number, option: number): number {
  const value = new Int32Array(1);
  return libc.getsockopt(fd, SOL_SOCKET, option, value, new Uint32Array([4])) < 0 ? 0 : value[0]!;
}

/** Busy polling of sockets on an interface, in effect until it is disposed of. */
export interface BusyPoll extends EffectiveBusyPoll, Disposable {
  /** who defers interrupts; undefined when nobody does, and softirqs go on polling beside us */
  readonly deferral: InterruptDeferral | undefined;
  /** puts the interface's settings back; the options go with the sockets. Idempotent */
  restore(): void;
}

/**
 * Makes sockets busy-poll, and the interrupts of their interface wait while they do.
 *
 * Call it once the XDP program is attached. Afterwards frames come only when somebody asks: see docs/xdp.md. What the
 * kernel refuses is in `reasons`; the rest is in effect. The values are those of the socket that got least.
 *
 * @param fds - sockets on the interface; they need not have received anything
 * @param interfaceName - in the calling thread's namespace
 * @param queues - the nicQueues of the sockets, for {@link deferInterrupts}
 * @throws RangeError for values that no kernel takes
 */
export function enableBusyPoll(
  fds: readonly number[],
  interfaceName: string,
  spec: BusyPollSpec = {},
  queues?: readonly number[],
): BusyPoll {
  const wanted = { ...BUSY_POLL, ...spec };
  const sockets = fds.map((fd) => setBusyPoll(fd, { ...wanted, prefer: true }));
  const reasons = new Set(sockets.flatMap((socket) => socket.reasons));
  const deferral = tryToDefer(interfaceName, wanted, queues, reasons);
  const restore = (): void => deferral?.restore();
  return {
    usecs: Math.min(...sockets.map(({ usecs }) => usecs)),
    budget: Math.min(...sockets.map(({ budget }) => budget)),
    prefer: sockets.every(({ prefer }) => prefer),
    deferral,
    reasons: [...reasons],
    restore,
    [Symbol.dispose]: restore,
  };
}

function tryToDefer(
  name: string,
  wanted: Required<BusyPollSpec>,
  queues: readonly number[] | undefined,
  reasons: Set<string>,
): InterruptDeferral | undefined {
  try {
    const deferral = deferInterrupts(name, wanted, queues);
    for (const reason of deferral.reasons) reasons.add(reason);
    return deferral;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    reasons.add(error.message);
    return undefined;
  }
}
