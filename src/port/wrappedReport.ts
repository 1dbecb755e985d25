import type { Port, PortReport } from './port.ts';

/**
 * Returns the report of a port around another: the inner one's, with a reason more, both as of now.
 *
 * Read anew each time: a peer may come, a disk may fill up after hours.
 */
export function wrappedReport(inner: Port, reason: () => string): PortReport {
  return {
    via: inner.report.via,
    accelerated: inner.report.accelerated,
    get mode(): string {
      return inner.report.mode;
    },
    get reasons(): readonly string[] {
      return [...inner.report.reasons, reason()];
    },
  };
}
