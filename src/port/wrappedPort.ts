import type { Burst } from '../core/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

/**
 * A port around another, which it owns: everything is the inner port's, but for what a subclass does itself.
 *
 * Its report tells how the inner port runs as of now, since a peer may come and a disk fill up after hours.
 */
export class WrappedPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** the port inside */
  protected readonly inner: Port;

  /**
   * Takes over a port, which is closed with this one.
   *
   * @param reason - a line for the report, read anew each time; none when absent
   */
  constructor(inner: Port, reason?: () => string) {
    this.inner = inner;
    this.spec = inner.spec;
    this.mac = inner.mac;
    this.mtu = inner.mtu;
    this.maxPieceLen = inner.maxPieceLen;
    this.regions = inner.regions;
    this.fds = inner.fds;
    this.report = {
      via: inner.report.via,
      accelerated: inner.report.accelerated,
      get mode(): string {
        return inner.report.mode;
      },
      get reasons(): readonly string[] {
        return reason === undefined ? inner.report.reasons : [...inner.report.reasons, reason()];
      },
    };
  }

  /** Whether the port inside knows of somebody at its other end. */
  get connected(): boolean {
    return this.inner.connected ?? true;
  }

  /** Whether the port inside is at its end. */
  get ended(): boolean {
    return this.inner.ended ?? false;
  }

  /** Receives from the port inside. @hot */
  rx(burst: Burst): number {
    return this.inner.rx(burst);
  }

  /** Takes free chunks of the port inside. @hot */
  alloc(burst: Burst, count: number): number {
    return this.inner.alloc(burst, count);
  }

  /** Sends through the port inside. @hot */
  tx(burst: Burst): number {
    return this.inner.tx(burst);
  }

  /** Has the port inside send what is queued. @hot */
  flush(): void {
    this.inner.flush();
  }

  /** Gives chunks back to the port inside. @hot */
  recycle(burst: Burst): void {
    this.inner.recycle(burst);
  }

  /** As the port inside says. */
  arm(): boolean {
    return this.inner.arm();
  }

  /** What the port inside counted. */
  statistics(): PortStatistics {
    return this.inner.statistics();
  }

  /** Closes the port inside. Idempotent. */
  close(): void {
    this.inner.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
