import { type CapabilityFeature, capabilityHint } from './capabilities.ts';
import { SystemError } from './error.ts';

/** What an error is that {@link explainRefusal} explains. */
export interface Attempt {
  /** what was being done, without the subject: `Cannot open` */
  readonly action: string;
  /** what it was done to: `xdp:eth0` */
  readonly subject: string;
  /** all that it needs, not only what failed first */
  readonly features: readonly CapabilityFeature[];
}

/**
 * Returns the error to throw in place of `error`: where the kernel refused for want of a capability, one that names
 * every capability that the calling thread lacks for the whole attempt, lest they are met one at a time.
 *
 * The kernel is asked first and the capabilities are looked at afterwards: what it allows in another way is allowed.
 *
 * @param status - as for `missingCapabilities`
 * @returns `error` itself when it is no refusal (EPERM, or the verifier's EACCES), or when nothing is missing
 */
export function explainRefusal(
  error: unknown,
  { action, subject, features }: Attempt,
  status?: string,
): unknown {
  if (!(error instanceof SystemError) || !['EPERM', 'EACCES'].includes(error.code)) return error;
  const hint = capabilityHint(features, status);
  if (hint === undefined) return error;
  return new SystemError(action, {
    syscall: error.syscall,
    errno: -error.errno,
    subject,
    hint,
    cause: error,
  });
}
