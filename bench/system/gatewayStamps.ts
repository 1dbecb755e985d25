import { type Burst, Histogram } from '../../src/core/index.ts';
import { type Port, WrappedPort } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';

/** From when until when measurements count, in shared memory: two times, Infinity while there is none. [monotonic ns] */
export type MeasuringWindow = Float64Array<SharedArrayBuffer>;

/** Makes a window that is not open yet. */
export function measuringWindow(): MeasuringWindow {
  return new Float64Array(new SharedArrayBuffer(16)).fill(Number.POSITIVE_INFINITY);
}

/** How long a gateway's thread has a frame in hand: from when one port delivered it until another has sent it. */
export class GatewayStamps {
  /** of frames that came alone: others wait for those before them */
  readonly histogram: Histogram = Histogram.create();
  readonly #window: MeasuringWindow;
  /** when the frame was received: in a typed array, as an own number would be an object */
  readonly #receivedNs = new Float64Array(1);
  #alone = false;
  #sent = false;

  constructor(window: MeasuringWindow) {
    this.#window = window;
  }

  /** So many frames have been delivered. */
  received(count: number): void {
    this.#receivedNs[0] = nowNs();
    this.#alone = count === 1;
  }

  /** The other port was handed them, and shows them at once or with its next flush. */
  sent(): void {
    this.#sent = this.#alone;
    this.#alone = false;
  }

  /** The other port was flushed. */
  flushed(): void {
    if (!this.#sent) return;
    this.#sent = false;
    const now = nowNs();
    const from = this.#receivedNs[0]!;
    if (from >= this.#window[0]! && now < this.#window[1]!) this.histogram.record(now - from);
  }
}

/** A port of a gateway, with the gateway's stamps: it tells them what passes. */
export class StampedPort extends WrappedPort {
  readonly #stamps: GatewayStamps;

  /** Stands around `inner`, and owns it. */
  constructor(inner: Port, stamps: GatewayStamps) {
    super(inner);
    this.#stamps = stamps;
  }

  override rx(burst: Burst): number {
    const count = super.rx(burst);
    if (count > 0) this.#stamps.received(count);
    return count;
  }

  override tx(burst: Burst): number {
    const count = super.tx(burst);
    if (count > 0) this.#stamps.sent();
    return count;
  }

  override flush(): void {
    super.flush();
    this.#stamps.flushed();
  }
}
