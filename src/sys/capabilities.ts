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
  // CAP_PERFMON: the verifier lets nobody else walk over headers of variable length.
  'XDP program': ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'],
  'interface set-up': ['CAP_NET_ADMIN'],
  'network namespace': ['CAP_SYS_ADMIN'],
  'real-time scheduling': ['CAP_SYS_NICE'],
  'memory beyond the lock limit': ['CAP_IPC_LOCK'],
  'receive buffer beyond rmem_max': ['CAP_NET_ADMIN'],
};

/**
 * Returns which of the wanted capabilities a thread lacks.
 *
 * @param status - text of its /proc/…/status; the calling thread's when absent
 */
export function missingCapabilities(
  wanted: readonly Capability[],
  status: string = readFileSync('/proc/thread-self/status', 'utf8'),
): Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([\da-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return wanted.filter((name) => ((effective >> BigInt(bits[name])) & 1n) === 0n);
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
