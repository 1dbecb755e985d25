import { type Burst, FrameFlags } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import type { Port } from './port.ts';
import { describeFrame } from './tracePortLine.ts';
import { TraceOutput } from './tracePortOutput.ts';
import { WrappedPort } from './wrappedPort.ts';

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
export class TracePort extends WrappedPort {
  readonly #sink: TraceSink;
  readonly #now: () => number;

  /**
   * Takes over a port and a sink, which are closed with this one.
   *
   * @param now - the clock of the lines [monotonic ns]
   */
  constructor(inner: Port, sink: TraceSink, now: () => number = nowNs) {
    super(inner, () => describeTrace(sink));
    this.#sink = sink;
    this.#now = now;
  }

  /** Receives, and writes a line for each frame. */
  override rx(burst: Burst): number {
    const count = this.inner.rx(burst);
    if (count > 0) this.#sink.write(this.#describe(burst, 'rx').join(''));
    return count;
  }

  /** Sends, and writes a line for each frame that was accepted. */
  override tx(burst: Burst): number {
    if (burst.count === 0) return this.inner.tx(burst);
    // Described before: a frame that was sent is no longer ours to read.
    const lines = this.#describe(burst, 'tx');
    const accepted = this.inner.tx(burst);
    let frames = 0;
    for (let i = 0; i < accepted; i++) if (isLast(burst, i)) frames++;
    if (frames > 0) this.#sink.write(lines.slice(0, frames).join(''));
    return accepted;
  }

  /** Closes the sink and the port inside. Idempotent. */
  override close(): void {
    this.#sink.close();
    this.inner.close();
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
