import { type Burst, FrameFlags } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';
import { describeFrame } from './tracePortLine.ts';
import { TraceOutput } from './tracePortOutput.ts';
import { wrappedReport } from './wrappedReport.ts';

const VLAN_ID = 0xfff;

/** Where the lines of a {@link TracePort} go. */
export interface TraceSink {
  /** what it is, for the port's report: `stderr`, or a path */
  readonly name: string;
  /** Why nothing is written any more; undefined while lines are. */
  readonly failure?: Error | undefined;
  /** Takes whole lines, those of a burst at once. Must not throw: their frames have changed hands. */
  readonly write: (lines: string) => void;
  /** Lets go of it. */
  readonly close: () => void;
}

/**
 * A port around any port that writes a line about each frame: when, which way, how long, from whom to whom.
 *
 * To look at a wire by eye, not for speed: a line costs some microseconds and garbage, and writing it may block. Lines
 * are about what rx() delivered and tx() accepted, in order:
 *
 * ```
 * 5213.000017 rx    67 10.9.0.1:40000 > 10.9.0.2:9000 udp 25 | 00 00 00 01 00 00 00 00
 * ```
 */
export class TracePort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  readonly #inner: Port;
  readonly #sink: TraceSink;
  readonly #now: () => number;

  /**
   * Takes over a port and a sink, which are closed with this one.
   *
   * @param now - the clock of the lines [monotonic ns]
   */
  constructor(inner: Port, sink: TraceSink, now: () => number = nowNs) {
    this.#inner = inner;
    this.#sink = sink;
    this.#now = now;
    this.spec = inner.spec;
    this.mac = inner.mac;
    this.mtu = inner.mtu;
    this.maxPieceLen = inner.maxPieceLen;
    this.regions = inner.regions;
    this.fds = inner.fds;
    this.report = wrappedReport(inner, () => describeTrace(sink));
  }

  /** Whether the port behind knows of somebody at its other end. */
  get connected(): boolean {
    return this.#inner.connected ?? true;
  }

  /** Whether the port inside is at its end. */
  get ended(): boolean {
    return this.#inner.ended ?? false;
  }

  /** Receives, and writes a line for each frame. */
  rx(burst: Burst): number {
    const count = this.#inner.rx(burst);
    if (count > 0) this.#sink.write(this.#describe(burst, 'rx').join(''));
    return count;
  }

  /** Takes free chunks of the port inside. */
  alloc(burst: Burst, count: number): number {
    return this.#inner.alloc(burst, count);
  }

  /** Sends, and writes a line for each frame that was accepted. */
  tx(burst: Burst): number {
    if (burst.count === 0) return this.#inner.tx(burst);
    // Described before: a frame that was sent is no longer ours to read.
    const lines = this.#describe(burst, 'tx');
    const accepted = this.#inner.tx(burst);
    let frames = 0;
    for (let i = 0; i < accepted; i++) if (isLast(burst, i)) frames++;
    if (frames > 0) this.#sink.write(lines.slice(0, frames).join(''));
    return accepted;
  }

  /** Has queued frames sent. */
  flush(): void {
    this.#inner.flush();
  }

  /** Gives chunks back to the port inside. */
  recycle(burst: Burst): void {
    this.#inner.recycle(burst);
  }

  /** As the port inside says. */
  arm(): boolean {
    return this.#inner.arm();
  }

  /** What the port inside counted. */
  statistics(): PortStatistics {
    return this.#inner.statistics();
  }

  /** Closes the sink and the port inside. Idempotent. */
  close(): void {
    this.#sink.close();
    this.#inner.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A line for each frame of a burst. */
  #describe(burst: Burst, direction: 'rx' | 'tx'): string[] {
    const time = (this.#now() / 1e9).toFixed(6);
    const lines: string[] = [];
    for (let first = 0; first < burst.count; ) {
      let end = first + 1;
      while (end < burst.count && !isLast(burst, end - 1)) end++;
      const frame = this.#frameAt(burst, first, end);
      const tag =
        (burst.flags[first]! & FrameFlags.vlan) !== 0 ? `vlan ${burst.vlan[first]! & VLAN_ID} ` : '';
      const text = describeFrame(frame, 0, frame.byteLength);
      const pieces = end - first > 1 ? ` (${end - first} pieces)` : '';
      lines.push(`${time} ${direction} ${String(frame.byteLength).padStart(5)} ${tag}${text}${pieces}\n`);
      first = end;
    }
    return lines;
  }

  /** A copy of the pieces of a frame. */
  #frameAt(burst: Burst, first: number, end: number): DataView {
    const pieces: Uint8Array[] = [];
    for (let i = first; i < end; i++) {
      const addr = burst.addr[i]!;
      pieces.push(this.regions[burst.region[i]!]!.bytes.subarray(addr, addr + burst.len[i]!));
    }
    const { buffer, byteOffset, byteLength } = Buffer.concat(pieces);
    return new DataView(buffer, byteOffset, byteLength);
  }
}

function describeTrace({ name, failure }: TraceSink): string {
  if (failure !== undefined) return `tracing to ${name} ended: ${failure.message}`;
  return `tracing to ${name}: a line is written for each frame, which is slow`;
}

/** Puts a trace around a port, as `trace=stderr` or `trace=FILE` asks. @throws SystemError when there can be no such file */
export function wrapInTrace(port: Port, value: string): Port {
  return new TracePort(port, new TraceOutput(value));
}

function isLast(burst: Burst, i: number): boolean {
  return (burst.flags[i]! & FrameFlags.continues) === 0;
}
