import { incomingNapi, setBusyPoll } from './busyPollOptions.ts';
import { SystemError } from './error.ts';
import { deferInterrupts, type InterruptDeferral } from './interruptDeferral.ts';
import { NetworkNamespace, withNetns } from './netns.ts';

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

/**
 * Busy polling of sockets on one interface; {@link enableBusyPoll} makes one.
 *
 * Their own options are set at once. Interrupts are deferred only for NAPIs that a socket is known to poll, by
 * {@link BusyPoll.engage}: deferring them for a socket that cannot poll would hold its frames up to the timeout.
 */
export class BusyPoll implements Disposable {
  /** of the socket that got least; 0 is off [µs] */
  readonly usecs: number;
  /** of the socket that got least */
  readonly budget: number;
  /** whether all sockets got it */
  readonly prefer: boolean;
  readonly #fds: readonly number[];
  readonly #queues: readonly number[] | undefined;
  readonly #interface: string;
  readonly #wanted: Required<BusyPollSpec>;
  readonly #namespace: NetworkNamespace;
  readonly #reasons: Set<string>;
  readonly #deferrals: InterruptDeferral[] = [];
  /** NAPIs that are deferred, or cannot be */
  readonly #settled = new Set<number>();

  /** @internal */
  constructor(
    fds: readonly number[],
    interfaceName: string,
    spec: BusyPollSpec,
    queues: readonly number[] | undefined,
  ) {
    const wanted = { ...BUSY_POLL, ...spec };
    const sockets = fds.map((fd) => setBusyPoll(fd, { ...wanted, prefer: true }));
    this.usecs = Math.min(...sockets.map(({ usecs }) => usecs));
    this.budget = Math.min(...sockets.map(({ budget }) => budget));
    this.prefer = sockets.every(({ prefer }) => prefer);
    this.#reasons = new Set(sockets.flatMap(({ reasons }) => reasons));
    this.#fds = fds;
    this.#queues = queues;
    this.#interface = interfaceName;
    this.#wanted = wanted;
    this.#namespace = NetworkNamespace.current();
  }

  /** Whether every socket has a NAPI to poll and keeps its interrupts away. */
  get engaged(): boolean {
    return this.#waiting().length === 0 && this.#deferrals.length > 0;
  }

  /** One line for everything that is not as asked, as of now. */
  get reasons(): readonly string[] {
    const waiting = this.#waiting();
    if (waiting.length === 0) return [...this.#reasons];
    const queues =
      this.#queues === undefined ? '' : ` queue ${waiting.map((i) => this.#queues![i]).join(', ')}`;
    return [
      ...this.#reasons,
      `no busy polling on ${this.#interface}${queues}: the kernel names no NAPI to poll (up to Linux 6.12 it does after the first frame, since then at bind, if the driver maps queues to NAPIs)`,
    ];
  }

  /** Who defers interrupts; empty before the first socket has a NAPI. */
  get deferrals(): readonly InterruptDeferral[] {
    return this.#deferrals;
  }

  /** Which sockets have no NAPI, by their place among the fds. */
  #waiting(): number[] {
    return this.#fds.flatMap((fd, i) => (incomingNapi(fd) === 0 ? [i] : []));
  }

  /**
   * Defers the interrupts of NAPIs that sockets have come to know since the last call; does nothing when there are none.
   *
   * Call it after the first frames, from any namespace (coming back from another one needs CAP_SYS_ADMIN).
   *
   * @returns {@link BusyPoll.engaged}
   */
  engage(): boolean {
    const known = this.#fds.map(incomingNapi).filter((id) => id !== 0 && !this.#settled.has(id));
    const fresh = [...new Set(known)];
    const everything = this.#deferrals.some(({ via }) => via === 'sysfs');
    for (const id of fresh) this.#settled.add(id);
    if (fresh.length > 0 && !everything) this.#defer(fresh);
    return this.engaged;
  }

  /** Puts the interface's settings back; the options go with the sockets. Idempotent. @throws SystemError */
  restore(): void {
    using cleanup = new DisposableStack();
    cleanup.use(this.#namespace);
    for (const deferral of this.#deferrals) cleanup.use(deferral);
  }

  [Symbol.dispose](): void {
    this.restore();
  }

  #defer(napiIds: readonly number[]): void {
    try {
      const deferral = inNamespace(this.#namespace, () =>
        deferInterrupts(this.#interface, this.#wanted, napiIds),
      );
      this.#deferrals.push(deferral);
      for (const reason of deferral.reasons) this.#reasons.add(reason);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#reasons.add(error.message);
    }
  }
}

/** As withNetns(), without its privilege where the thread is there already. */
function inNamespace<T>(namespace: NetworkNamespace, run: () => T): T {
  using here = NetworkNamespace.current();
  return here.id === namespace.id ? run() : withNetns(namespace, run);
}

/**
 * Makes sockets busy-poll, and the interrupts of the NAPIs that they poll wait while they do.
 *
 * Open it after the XDP program is attached. Once a socket is engaged its frames come only when it asks, by `recvfrom`
 * or `sendto`, or after the timeout. What the kernel refuses is in `reasons`; the rest is in effect.
 *
 * @param fds - sockets on the interface, at least one; closed only after the result
 * @param interfaceName - in the calling thread's namespace
 * @param queues - the nicQueue of each socket, to be named in the reasons
 * @throws RangeError for values that no kernel takes, once a socket is engaged
 */
export function enableBusyPoll(
  fds: readonly number[],
  interfaceName: string,
  spec: BusyPollSpec = {},
  queues?: readonly number[],
): BusyPoll {
  const busyPoll = new BusyPoll(fds, interfaceName, spec, queues);
  busyPoll.engage();
  return busyPoll;
}
