import { Burst, FrameFlags } from '../core/index.ts';
import { nowNs } from '../sys/index.ts';
import { FaultCounter, FaultLine } from './faultLine.ts';
import { checkFaultSpec, describeFaults, type FaultSpec, parseFaultSpec } from './faultSpec.ts';
import type { Port, PortStatistics } from './port.ts';
import { WrappedPort } from './wrappedPort.ts';

/** Descriptors handed to or taken from the port inside, at once. */
const BURST = 256;
const RX = 1;
const TX = 2;

// Counters are in a typed array: in a field, one that has passed 2^31 would be an object.
const RX_FRAMES = 0;
const RX_BYTES = 1;
const TX_FRAMES = 2;
const TX_BYTES = 3;
const TX_REFUSED = 4;
const COUNTERS = 5;

/** What was injected into one direction. [frames] */
export interface FaultCounts {
  readonly lost: number;
  readonly duplicated: number;
  /** meant to come twice, but the port had no chunk for the copy */
  readonly notDuplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly delayed: number;
  /** on their way: delayed, or waiting to be overtaken */
  readonly held: number;
}

/**
 * A port around any port, on which frames get lost, come twice, late, in another order or damaged, as a seed decides.
 *
 * For tests of what stands on a port. A direction without faults is the port inside. Frames that are held move when the
 * port is called, by rx() and flush() too; while there are any, arm() says that nobody may sleep. What is sent is
 * accepted a burst ahead of the port inside.
 */
export class FaultPort extends WrappedPort {
  readonly #rx: FaultLine | null;
  readonly #tx: FaultLine | null;
  readonly #incoming = new Burst(BURST, { timestamps: true, hashes: true });
  readonly #outgoing = new Burst(BURST);
  readonly #counters = new Float64Array(COUNTERS);
  /** what sending threw when its frames were no longer the caller's; told by the next flush() */
  #failure: unknown;
  #open = true;

  /**
   * Takes over a port, which is closed with this one.
   *
   * @param now - the clock that frames are delayed by [monotonic ns]
   * @throws RangeError for a part beyond 0 to 1, a delay or a seed out of range
   */
  constructor(inner: Port, spec: FaultSpec, now: () => number = nowNs) {
    checkFaultSpec(spec);
    const reason = `faults are injected: ${describeFaults(spec)}`;
    super(inner, () => reason);
    const { loss = 0, duplicate = 0, reorder = 0, corrupt = 0, delayNs = 0, on = 'both' } = spec;
    const any = loss + duplicate + reorder + corrupt + delayNs > 0;
    this.#rx = any && on !== 'tx' ? new FaultLine(inner, spec, RX, now) : null;
    this.#tx = any && on !== 'rx' ? new FaultLine(inner, spec, TX, now) : null;
  }

  /** Whether the port inside is at its end, and nothing that it received is held. */
  override get ended(): boolean {
    return (this.inner.ended ?? false) && (this.#rx?.held ?? 0) === 0;
  }

  /** Takes what the port inside has received, and what was held long enough. @hot */
  override rx(burst: Burst): number {
    if (this.#tx !== null) this.#sendHeld(this.#tx);
    const line = this.#rx;
    if (line === null) return this.inner.rx(burst);
    const incoming = this.#incoming;
    if (line.hasRoom(incoming.capacity) && this.inner.rx(incoming) > 0) line.admit(incoming);
    burst.count = 0;
    const count = line.copyDue(burst);
    line.release(count);
    this.#count(burst, count, RX_FRAMES, RX_BYTES);
    return count;
  }

  /** Accepts whole frames unless the port inside still refuses earlier ones, and decides what becomes of each. @hot */
  override tx(burst: Burst): number {
    const line = this.#tx;
    if (line === null) return this.inner.tx(burst);
    const accepted = this.#pump(line) ? line.admit(burst) : 0;
    this.#count(burst, accepted, TX_FRAMES, TX_BYTES);
    this.#counters[TX_REFUSED]! += burst.count - accepted;
    this.#pump(line);
    return accepted;
  }

  /** Has sent what is due, and the port inside send it. @throws what sending held frames threw @hot */
  override flush(): void {
    if (this.#tx !== null) this.#pump(this.#tx);
    this.inner.flush();
    if (this.#failure !== undefined) this.#throwFailure();
  }

  /** As the port inside says; false while frames are held, which no descriptor tells of. */
  override arm(): boolean {
    if (this.#tx !== null) this.#sendHeld(this.#tx);
    const idle = this.inner.arm();
    return idle && (this.#rx?.held ?? 0) + (this.#tx?.held ?? 0) === 0;
  }

  /** What the caller received and sent; drops are those of the port inside, and of the faults. */
  override statistics(): PortStatistics {
    const inner = this.inner.statistics();
    const counters = this.#counters;
    const received = { rxFrames: counters[RX_FRAMES]!, rxBytes: counters[RX_BYTES]! };
    const sent = {
      txFrames: counters[TX_FRAMES]!,
      txBytes: counters[TX_BYTES]!,
      txRefused: counters[TX_REFUSED]!,
    };
    return {
      ...inner,
      ...(this.#rx === null ? {} : received),
      ...(this.#tx === null ? {} : sent),
      drops: {
        ...inner.drops,
        faultLoss: this.#total(FaultCounter.lost),
        faultTooLong: this.#total(FaultCounter.tooLong),
        faultUnsendable: this.#total(FaultCounter.unsendable),
        faultClosed: this.#total(FaultCounter.closed),
      },
    };
  }

  /** What was injected so far, into each direction. */
  faults(): { readonly rx: FaultCounts; readonly tx: FaultCounts } {
    return { rx: countsOf(this.#rx), tx: countsOf(this.#tx) };
  }

  /** Gives held frames back and closes the port inside. Idempotent. */
  override close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#rx?.close();
    this.#tx?.close();
    this.inner.close();
  }

  /** Sends what is due and has it sent, where no flush() of the caller need follow. */
  #sendHeld(line: FaultLine): void {
    const { held } = line;
    if (held === 0) return;
    if (!this.#pump(line) || line.held < held) this.inner.flush();
  }

  /** Queues what is due for sending. @returns whether the port inside took all of it */
  #pump(line: FaultLine): boolean {
    for (;;) {
      this.#outgoing.count = 0;
      const due = line.copyDue(this.#outgoing);
      if (due === 0) return true;
      const accepted = this.#send(line);
      line.release(accepted);
      if (accepted < due) return false;
    }
  }

  #send(line: FaultLine): number {
    try {
      return this.inner.tx(this.#outgoing);
    } catch (error) {
      // NB: the frame has been the port's since tx() accepted it: nobody else could ever take it away.
      line.discard(FaultCounter.unsendable);
      this.#failure ??= error;
      return 0;
    }
  }

  #throwFailure(): never {
    const failure = this.#failure;
    this.#failure = undefined;
    throw failure;
  }

  #count(burst: Burst, count: number, frames: number, bytes: number): void {
    for (let i = 0; i < count; i++) {
      this.#counters[bytes]! += burst.len[i]!;
      if ((burst.flags[i]! & FrameFlags.continues) === 0) this.#counters[frames]! += 1;
    }
  }

  #total(counter: number): number {
    return (this.#rx?.counters[counter] ?? 0) + (this.#tx?.counters[counter] ?? 0);
  }
}

/** Puts faults around a port, as the option `faults=` of a spec asks. @throws TypeError when it makes no sense */
export function wrapInFaults(port: Port, value: string): Port {
  return new FaultPort(port, parseFaultSpec(value));
}

function countsOf(line: FaultLine | null): FaultCounts {
  const at = (counter: number): number => line?.counters[counter] ?? 0;
  return {
    lost: at(FaultCounter.lost),
    duplicated: at(FaultCounter.duplicated),
    notDuplicated: at(FaultCounter.notDuplicated),
    reordered: at(FaultCounter.reordered),
    corrupted: at(FaultCounter.corrupted),
    delayed: at(FaultCounter.delayed),
    held: line?.heldFrames ?? 0,
  };
}
