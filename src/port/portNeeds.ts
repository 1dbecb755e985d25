import { type CapabilityFeature, explainRefusal, lockLimit } from '../sys/index.ts';
import type { PortSpec } from './portSpec.ts';

/** Packet memory of one nicQueue with rings of the usual size: more than most hosts let a user lock. [bytes] */
const QUEUE_MEMORY_LEN = 12 << 20;

/** What ports of a scheme need of the kernel; the others need nothing, so nobody refuses them. */
const NEEDS: ReadonlyMap<string, () => readonly CapabilityFeature[]> = new Map([
  ['xdp', xdpNeeds],
  ['packet', (): CapabilityFeature[] => ['packet socket']],
]);

/**
 * Returns the error to throw when a port could not be opened: one that names every capability that is missing, where the
 * kernel refused for want of one.
 */
export function explainOpening(error: unknown, { scheme, text }: PortSpec): unknown {
  const needs = NEEDS.get(scheme);
  if (needs === undefined) return error;
  return explainRefusal(error, { action: 'Cannot open', subject: text, features: needs() });
}

function xdpNeeds(): readonly CapabilityFeature[] {
  const memory: CapabilityFeature[] = lockLimit() < QUEUE_MEMORY_LEN ? ['memory beyond the lock limit'] : [];
  return ['AF_XDP socket', 'XDP program', ...memory];
}
