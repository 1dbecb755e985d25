import { readFileSync } from 'node:fs';
import {
  CAP_BPF,
  CAP_IPC_LOCK,
  CAP_NET_ADMIN,
  CAP_NET_RAW,
  CAP_PERFMON,
  CAP_SYS_ADMIN,
  CAP_SYS_NICE,
} from './uapi/index.ts';

/** A right of a thread, by its kernel name. */
export type Capability =
  | 'CAP_BPF'
  | 'CAP_IPC_LOCK'
  | 'CAP_NET_ADMIN'
  | 'CAP_NET_RAW'
  | 'CAP_PERFMON'
  | 'CAP_SYS_ADMIN'
  | 'CAP_SYS_NICE';

const bits: Readonly<Record<Capability, number>> = {
  CAP_BPF,
  CAP_IPC_LOCK,
  CAP_NET_ADMIN,
  CAP_NET_RAW,
  CAP_PERFMON,
  CAP_SYS_ADMIN,
  CAP_SYS_NICE,
};

/** Something that needs a capability. */
export type CapabilityFeature =
  | 'AF_XDP socket'
  | 'packet socket'
  | 'XDP program'
  | 'interface set-up'
  | 'network namespace'
  | 'real-time scheduling'
  | 'memory beyond the lock limit'
  | 'receive buffer beyond rmem_max';

/**
 * The exact capabilities that each feature needs; what is not listed needs none.
 *
 * What counts is the kernel's first user namespace: root in a container of its own may have them in name only.
 */
export const featureCapabilities: Readonly<Record<CapabilityFeature, readonly Capability[]>> = {
  'AF_XDP socket': ['CAP_NET_RAW'],
  'packet socket': ['CAP_NET_RAW'],
  // CAP_PERFMON: the verifier lets nobody else walk over headers of variable length.
  'XDP program': ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'],
  'interface set-up': ['CAP_NET_ADMIN'],
  'network namespace': ['CAP_SYS_ADMIN'],
  'real-time scheduling': ['CAP_SYS_NICE'],
  'memory beyond the lock limit': ['CAP_IPC_LOCK'],
  'receive buffer beyond rmem_max': ['CAP_NET_ADMIN'],
};

/** What CAP_SYS_ADMIN includes, from which Linux 5.8 has split it off. */
const ofSysAdmin: readonly Capability[] = ['CAP_BPF', 'CAP_PERFMON'];

/**
 * Returns which of the wanted capabilities a thread lacks; CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON.
 *
 * @source linux/capability.h, bpf_capable and perfmon_capable
 * @param status - text of its /proc/…/status; the calling thread's when absent
 */
export function missingCapabilities(
  wanted: readonly Capability[],
  status: string = readFileSync('/proc/thread-self/status', 'utf8'),
): Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([\da-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (name: Capability): boolean => ((effective >> BigInt(bits[name])) & 1n) === 1n;
  return wanted.filter((name) => !has(name) && !(ofSysAdmin.includes(name) && has('CAP_SYS_ADMIN')));
}

/**
 * Says all at once which capabilities are missing for some features, and what grants them.
 *
 * @param status - as for {@link missingCapabilities}
 * @param program - the program to grant them to
 * @returns a hint, or undefined when none is missing
 */
export function capabilityHint(
  features: readonly CapabilityFeature[],
  status?: string,
  program: string = process.execPath,
): string | undefined {
  const needed = [...new Set(features.flatMap((feature) => featureCapabilities[feature]))];
  const missing = missingCapabilities(needed, status);
  if (missing.length === 0) return undefined;
  const lack =
    missing.length === needed.length
      ? 'this thread has none of them'
      : `this thread lacks ${missing.join(', ')}`;
  // setcap replaces what the file had, so it has to name all. CAP_SYS_ADMIN is as good as root: no file should give it.
  const grant = needed.includes('CAP_SYS_ADMIN')
    ? ''
    : `, or grant them with \`sudo setcap ${needed.join(',').toLowerCase()}+ep ${program}\``;
  return `It needs ${needed.join(', ')}; ${lack}: run as root${grant}`;
}

/**
 * Returns how much memory the calling thread's process may lock: the largest umem without CAP_IPC_LOCK. [bytes]
 *
 * @param limits - text of a /proc/…/limits; the calling thread's when absent
 * @returns Infinity when there is no limit
 */
export function lockLimit(limits: string = readFileSync('/proc/thread-self/limits', 'utf8')): number {
  const soft = /^Max locked memory\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft ?? 0);
}
