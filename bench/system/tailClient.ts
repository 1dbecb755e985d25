import { Burst, Histogram } from '../../src/core/index.ts';
import { ORDER_LEN } from '../../src/order/index.ts';
import type { Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import { parseUdpFrame, UdpFrame, type UdpFrameSpec, UdpFrameTemplate } from '../../src/wire/index.ts';
import { LAST_TRIP, readTrip, writeTrip } from './rttTrip.ts';

/** Orders that are sent in a row before the client looks for answers, should it be behind. */
const BURST = 64;
/** How long before the first trip of a run is due. [ns] */
const LEAD_NS = 20e6;
/** How long answers are waited for after the last trip was due. [ns] */
const GRACE_NS = 200e6;
/** How long the answerer's last word is waited for before it is asked again, and how often. [ns] */
const ASK_AGAIN_NS = 20e6;
const ASKS = 10;
/** The trip after which the answerer begins to count collections. */
export const WARM_TRIP: number = LAST_TRIP - 1;

/**
 * Sends orders at a fixed rate and takes the time until each is back, in an open loop: trip i is due at t0 + i / rate,
 * and its latency counts from then, whenever it was sent. So what held the client up counts against every order that
 * it held up.
 */
export class TailClient {
  /** What {@link TailClient.latencies} lies in. */
  readonly memory: ArrayBuffer = new ArrayBuffer(Histogram.SIZE);
  /** Latencies of the last run. [ns] */
  readonly latencies: Histogram = Histogram.create(this.memory);
  readonly #port: Port;
  readonly #template: UdpFrameTemplate;
  readonly #out = new Burst(BURST);
  readonly #in = new Burst(BURST);
  readonly #frame = new UdpFrame();
  #first = 0;
  #count = 0;
  #sent = 0;
  #back = 0;
  #isMeasured = false;
  /** When the first trip is due, how far apart the trips are, when to give up. [ns] */
  readonly #times = new Float64Array(3);

  /** @param port - receives what is sent to the source of `ends` */
  constructor(port: Port, ends: UdpFrameSpec) {
    this.#port = port;
    this.#template = new UdpFrameTemplate(ends);
  }

  /**
   * Makes `count` trips, numbered from `first`.
   *
   * @param intervalNs - from when one is due until the next is [ns]
   * @returns how many did not come back
   */
  run(first: number, count: number, intervalNs: number): number {
    this.latencies.clear();
    this.#first = first;
    this.#count = count;
    this.#sent = 0;
    this.#back = 0;
    this.#isMeasured = true;
    const startNs = nowNs() + LEAD_NS;
    this.#times[0] = startNs;
    this.#times[1] = intervalNs;
    this.#times[2] = startNs + count * intervalNs + GRACE_NS;
    while (this.#turns());
    return count - this.#back;
  }

  /** Tells the answerer what trip it is, until it has answered. */
  tell(trip: number): void {
    this.#first = trip;
    this.#count = 1;
    this.#back = 0;
    this.#isMeasured = false;
    for (let asks = 0; asks < ASKS && this.#back === 0; asks++) {
      this.#put(trip);
      this.#send();
      const askedNs = nowNs();
      while (this.#back === 0 && nowNs() - askedNs < ASK_AGAIN_NS) this.#receive();
    }
  }

  /**
   * Some turns of sending what is due and receiving what is there; false when the run is over.
   *
   * A function of its own, and not the body of a loop without end, so that V8 enters its best code again and again.
   *
   * @hot
   */
  #turns(): boolean {
    const times = this.#times;
    for (let turn = 0; turn < 1024; turn++) {
      const now = nowNs();
      if (this.#sent < this.#count) {
        let n = 0;
        while (n < BURST && this.#sent < this.#count && now >= times[0]! + this.#sent * times[1]!) {
          this.#put(this.#first + this.#sent);
          this.#sent = (this.#sent + 1) | 0;
          n = (n + 1) | 0;
        }
        if (n > 0) this.#send();
      } else if (this.#back === this.#count || now > times[2]!) {
        return false;
      }
      this.#receive();
    }
    return true;
  }

  /** Writes an order; one for which there is no chunk is lost. @hot */
  #put(trip: number): void {
    const out = this.#out;
    if (this.#port.alloc(out, 1) === 0) return;
    const last = out.count - 1;
    const addr = out.addr[last]!;
    const view = this.#port.regions[0]!.view;
    writeTrip(view, addr + this.#template.headerLen, trip);
    out.len[last] = this.#template.write(view, addr, ORDER_LEN);
  }

  /** Sends the orders that are written; those that do not fit on the ring are lost. @hot */
  #send(): void {
    const out = this.#out;
    out.dropPrefix(this.#port.tx(out));
    if (out.count > 0) this.#port.recycle(out);
    this.#port.flush();
  }

  /** Takes the time of every order that is back. @hot */
  #receive(): void {
    const port = this.#port;
    const burst = this.#in;
    if (port.rx(burst) === 0) return;
    const times = this.#times;
    const now = nowNs();
    const view = port.regions[0]!.view;
    const frame = this.#frame;
    for (let i = 0; i < burst.count; i++) {
      if (parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame) < 0) continue;
      const trip = readTrip(view, frame.payloadOffset, frame.payloadLen) - this.#first;
      // An answer from before this run that was given up.
      if (trip < 0 || trip >= this.#count) continue;
      this.#back = (this.#back + 1) | 0;
      if (this.#isMeasured) this.latencies.record(now - (times[0]! + trip * times[1]!));
    }
    port.recycle(burst);
  }
}
