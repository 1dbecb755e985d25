import {
  type Deferral,
  type DeferralHolder,
  type DeferralHolders,
  interfaceHolder,
  napiHolders,
  restoreAll,
  setAll,
} from './deferralHolders.ts';
import { SystemError } from './error.ts';
import { link } from './netlink/index.ts';

const MAX_DEFER_HARD_IRQS = 2 ** 31 - 1;

/** What {@link InterruptDeferral.restore} puts back. */
export interface DeferralBefore extends Deferral {
  /** whose; undefined for the interface as a whole */
  readonly napiId: number | undefined;
}

/**
 * Interrupts of an interface that wait for somebody to poll; {@link deferInterrupts} makes one.
 *
 * The settings outlive the process when it is killed; the kernel then polls by its timer, traffic flows on up to the
 * timeout later, and the next {@link deferInterrupts} with the same values restores what a killed one has left.
 */
export class InterruptDeferral implements Disposable {
  /** `netdev` set single NAPIs, `sysfs` the interface with all of its NAPIs */
  readonly via: 'netdev' | 'sysfs';
  readonly was: readonly DeferralBefore[];
  /** a line for each thing that is not as one would expect, such as what a killed process has left */
  readonly reasons: readonly string[];
  readonly #holders: readonly DeferralHolder[];
  readonly #open: DisposableStack;

  /** Takes ownership of holders that are set. @internal */
  constructor(
    via: 'netdev' | 'sysfs',
    holders: DeferralHolders,
    was: readonly Deferral[],
    reasons: string[],
  ) {
    this.via = via;
    this.#holders = holders.all.map((holder, i) => ({
      napiId: holder.napiId,
      was: was[i]!,
      set: (value) => holder.set(value),
    }));
    this.was = this.#holders.map(({ napiId, was: before }) => ({ napiId, ...before }));
    this.reasons = reasons;
    this.#open = new DisposableStack();
    this.#open.use(holders);
  }

  /** Puts back {@link InterruptDeferral.was}. Idempotent. @throws SystemError when the kernel refuses */
  restore(): void {
    if (this.#open.disposed) return;
    try {
      restoreAll(this.#holders);
    } finally {
      this.#open.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}

/**
 * Makes interrupts of an interface of the calling thread's namespace wait for somebody to poll, as busy polling needs.
 *
 * Both values are set together: on each NAPI where the kernel has settings there, else on the interface. NAPIs of veth
 * come with the XDP program and go with it, so attach first. Kernel traffic on a NAPI that nobody polls waits for up to
 * the timeout: name those that are polled.
 *
 * @param napiIds - the NAPIs that will be polled, all when absent; where only the interface has settings, all are touched
 * @throws RangeError for a value that the kernel cannot hold
 * @throws SystemError ENODEV when the interface is missing, EPERM without CAP_NET_ADMIN or, where only sysfs has the
 *   settings, CAP_SYS_ADMIN, ENOENT for a NAPI that the interface does not have; nothing is changed then
 * @source Documentation/networking/napi.rst, "IRQ mitigation"
 * @since Linux 5.8; single NAPIs since 6.13
 */
export function deferInterrupts(
  name: string,
  { deferHardIrqs, groFlushTimeoutNs }: Deferral,
  napiIds?: readonly number[],
): InterruptDeferral {
  const wanted = {
    deferHardIrqs: checkRange('polls before interrupts', deferHardIrqs, MAX_DEFER_HARD_IRQS),
    groFlushTimeoutNs: checkRange('timeout in ns', groFlushTimeoutNs, Number.MAX_SAFE_INTEGER),
  };
  const { index } = link(name);
  const reasons: string[] = [];
  return deferNapis(name, index, wanted, napiIds, reasons) ?? deferInterface(name, wanted, reasons);
}

function checkRange(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`Cannot defer interrupts: ${what} must be an integer from 0 to ${max}, got ${value}`);
}

/** Undefined, with a reason, when the interface as a whole has to do. */
function deferNapis(
  name: string,
  index: number,
  wanted: Deferral,
  napiIds: readonly number[] | undefined,
  reasons: string[],
): InterruptDeferral | undefined {
  using cleanup = new DisposableStack();
  const holders = napiHolders(index, napiIds);
  if (!holders) {
    reasons.push(
      `All of ${name} defers interrupts: no NAPI of it has settings of its own (netlink family netdev)`,
    );
    return undefined;
  }
  cleanup.use(holders);
  const was = holders.all.map((holder) =>
    same(holder.was, wanted) ? leftover(name, holder, reasons) : holder.was,
  );
  try {
    setAll(holders.all, wanted);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EPERM') throw error;
    return deferInstead(name, wanted, reasons, error);
  }
  cleanup.move();
  return new InterruptDeferral('netdev', holders, was, reasons);
}

/** Root of a user namespace of its own may not change NAPIs, but may change its interfaces in sysfs. */
function deferInstead(
  name: string,
  wanted: Deferral,
  reasons: string[],
  refusal: SystemError,
): InterruptDeferral {
  try {
    return deferInterface(name, wanted, [...reasons, refusal.message]);
  } catch {
    throw refusal;
  }
}

/**
 * What to restore where a NAPI is as wanted before anything was set.
 *
 * Settings of a NAPI begin as those of its interface and only netlink makes them differ: one that differs from its
 * interface in just the way that is wanted here was left by a process that could not restore it.
 */
function leftover(name: string, { napiId, was }: DeferralHolder, reasons: string[]): Deferral {
  const what = `NAPI ${napiId} of ${name} deferred interrupts already (${describe(was)})`;
  try {
    using found = interfaceHolder(name);
    const [own] = found.all.map((holder) => holder.was);
    if (own === undefined || same(own, was)) return was;
    reasons.push(
      `${what}: left by a killed process, or another polls it too; restoring makes it as its interface (${describe(own)})`,
    );
    return own;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    reasons.push(`${what}: it stays so, because its interface's own settings cannot be read: ${why}`);
    return was;
  }
}

function deferInterface(name: string, wanted: Deferral, reasons: string[]): InterruptDeferral {
  using cleanup = new DisposableStack();
  const holders = cleanup.use(interfaceHolder(name));
  const was = holders.all.map((holder) => holder.was);
  setAll(holders.all, wanted);
  if (was.every((each) => same(each, wanted))) {
    reasons.push(
      `${name} deferred interrupts already (${describe(wanted)}): it stays so, be it set on purpose or left by a killed process`,
    );
  }
  cleanup.move();
  return new InterruptDeferral('sysfs', holders, was, reasons);
}

function same(a: Deferral, b: Deferral): boolean {
  return a.deferHardIrqs === b.deferHardIrqs && a.groFlushTimeoutNs === b.groFlushTimeoutNs;
}

function describe({ deferHardIrqs, groFlushTimeoutNs }: Deferral): string {
  return `${deferHardIrqs} polls, ${groFlushTimeoutNs} ns`;
}
