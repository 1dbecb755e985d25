import { constants } from 'node:os';
import { SystemError } from './error.ts';
import { findFamily } from './netlink/genl.ts';
import { listNapis, type Napi, setNapi } from './netlink/napis.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { mountSysfs, SysfsAttribute } from './sysfs.ts';
import { NETDEV_CMD_NAPI_SET, NETLINK_GENERIC } from './uapi/index.ts';

/** How interrupts of an interface wait for somebody to poll. */
export interface Deferral {
  /** polls without work before the interrupt is enabled again; 0 defers nothing */
  readonly deferHardIrqs: number;
  /** when the kernel polls by itself unless somebody has [ns]; 0 never */
  readonly groFlushTimeoutNs: number;
}

/** What holds a deferral: a NAPI has its own, an interface one that it gives to all of its NAPIs. */
export interface DeferralHolder {
  /** undefined for an interface */
  readonly napiId: number | undefined;
  /** what was set when the holder was found */
  readonly was: Deferral;
  /** Sets both values or none. @throws SystemError */
  set(value: Deferral): void;
}

/** Holders, and the way to them, which is held open until they are restored. */
export interface DeferralHolders extends Disposable {
  readonly all: readonly DeferralHolder[];
}

/**
 * Finds the NAPIs of an interface of the calling thread's namespace that have these ids, or all of them.
 *
 * @returns undefined where NAPIs have no settings of their own (before Linux 6.13), or the interface has no NAPI now
 * @throws SystemError ENOENT when the interface has NAPIs, but not one of these
 */
export function napiHolders(ifindex: number, ids?: readonly number[]): DeferralHolders | undefined {
  using cleanup = new DisposableStack();
  const socket = cleanup.use(new NetlinkSocket(NETLINK_GENERIC));
  const family = findFamily(socket, 'netdev');
  if (!family?.commands.has(NETDEV_CMD_NAPI_SET)) return undefined;
  const listed = listNapis(socket, family, ifindex);
  if (listed.length === 0) return undefined;
  const missing = ids?.find((id) => !listed.some((napi) => napi.id === id));
  if (missing !== undefined) throw noSuchNapi(missing, ifindex);
  const all = listed
    .filter(({ id }) => ids === undefined || ids.includes(id))
    .map((napi) => ({
      napiId: napi.id,
      was: deferralOf(napi),
      set: (value: Deferral): void => setNapi(socket, family, napi.id, value),
    }));
  const open = cleanup.move();
  return { all, [Symbol.dispose]: () => open.dispose() };
}

function noSuchNapi(id: number, ifindex: number): SystemError {
  return new SystemError('Cannot find', {
    syscall: 'netlink(NETDEV_CMD_NAPI_GET)',
    errno: constants.errno.ENOENT,
    subject: `NAPI ${id} of interface ${ifindex}`,
    hint: 'Drivers make NAPIs anew when they are set up anew: open the socket after attaching the program',
  });
}

function deferralOf({ deferHardIrqs = 0, groFlushTimeoutNs = 0 }: Napi): Deferral {
  return { deferHardIrqs, groFlushTimeoutNs };
}

/**
 * Finds the settings of an interface of the calling thread's namespace: what all its NAPIs have, those to come included.
 *
 * @throws SystemError EPERM without CAP_SYS_ADMIN, ENOENT before Linux 5.8
 */
export function interfaceHolder(name: string): DeferralHolders {
  using cleanup = new DisposableStack();
  using sysfs = mountSysfs();
  const timeout = cleanup.use(new SysfsAttribute(sysfs, `class/net/${name}/gro_flush_timeout`));
  const defer = cleanup.use(new SysfsAttribute(sysfs, `class/net/${name}/napi_defer_hard_irqs`));
  let now = { deferHardIrqs: Number(defer.text), groFlushTimeoutNs: Number(timeout.text) };
  const set = (value: Deferral): void => {
    timeout.write(`${value.groFlushTimeoutNs}`);
    try {
      defer.write(`${value.deferHardIrqs}`);
    } catch (error) {
      timeout.write(`${now.groFlushTimeoutNs}`);
      throw error;
    }
    now = { ...value };
  };
  const holder = { napiId: undefined, was: now, set };
  const open = cleanup.move();
  return { all: [holder], [Symbol.dispose]: () => open.dispose() };
}

/** Sets all holders, or puts those back that were set before one refused. @throws SystemError of the one that refused */
export function setAll(holders: readonly DeferralHolder[], value: Deferral): void {
  const done: DeferralHolder[] = [];
  try {
    for (const holder of holders) {
      holder.set(value);
      done.push(holder);
    }
  } catch (error) {
    restoreAll(done);
    throw error;
  }
}

/**
 * Puts every holder back to what it was. One that is gone, as NAPIs go when a driver is set up anew, needs nothing.
 *
 * @throws SystemError the first refusal, after all were tried
 */
export function restoreAll(holders: readonly DeferralHolder[]): void {
  let refusal: unknown;
  for (const holder of holders.toReversed()) {
    try {
      holder.set(holder.was);
    } catch (error) {
      const gone = error instanceof SystemError && (error.code === 'ENOENT' || error.code === 'ENODEV');
      if (!gone) refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
}
