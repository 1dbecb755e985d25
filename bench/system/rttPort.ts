import { Burst } from '../../src/core/index.ts';
import { ORDER_LEN, type PayloadHandler, PortSource } from '../../src/order/index.ts';
import { openPort, type Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import { parseUdpFrame, UdpFrame, UdpFrameTemplate } from '../../src/wire/index.ts';
import type { RttEnd, RttTimes } from './rttEnds.ts';
import {
  ANSWER_PORT,
  CALL_PORT,
  GRACE_SECONDS,
  LAST_TRIP,
  LOST_NS,
  readTrip,
  Trips,
  writeTrip,
} from './rttTrip.ts';

/** Sends order after order, each when the one before is back. */
export function callPort(end: RttEnd, seconds: number): RttTimes {
  using port = openPort(end.via!, { flows: [{ port: CALL_PORT }] });
  const caller = new Caller(port, end);
  const untilNs = nowNs() + seconds * 1e9;
  for (let trip = 1; nowNs() < untilNs; trip++) caller.call(trip);
  caller.finish();
  return caller.trips.times();
}

class Caller {
  readonly trips = new Trips();
  readonly #port: Port;
  readonly #template: UdpFrameTemplate;
  readonly #out = new Burst(1);
  readonly #in = new Burst(16);
  readonly #frame = new UdpFrame();

  constructor(port: Port, end: RttEnd) {
    this.#port = port;
    this.#template = new UdpFrameTemplate({
      sourceMac: port.mac,
      destinationMac: end.peerMac!,
      sourceAddress: end.address,
      destinationAddress: end.peerAddress,
      sourcePort: CALL_PORT,
      destinationPort: ANSWER_PORT,
    });
  }

  call(trip: number): void {
    for (;;) {
      const sentNs = nowNs();
      this.#send(trip);
      while (!this.#isBack(trip)) {
        if (nowNs() - sentNs > LOST_NS) break;
      }
      const ns = nowNs() - sentNs;
      if (ns <= LOST_NS) {
        this.trips.record(ns);
        return;
      }
      this.trips.lost++;
    }
  }

  finish(): void {
    this.#send(LAST_TRIP);
  }

  #send(trip: number): void {
    const port = this.#port;
    const out = this.#out;
    out.clear();
    if (port.alloc(out, 1) === 0) return;
    const { view } = port.regions[0]!;
    const addr = out.addr[0]!;
    writeTrip(view, addr + this.#template.headerLen, trip);
    out.len[0] = this.#template.write(view, addr, ORDER_LEN);
    out.dropPrefix(port.tx(out));
    port.recycle(out);
    port.flush();
  }

  /** Looks for the answer; what else comes is an answer that was given up. */
  #isBack(trip: number): boolean {
    const port = this.#port;
    const burst = this.#in;
    // One look at the clock a thousand polls: polling is what is measured.
    for (let i = 0; i < 1000; i++) {
      if (port.rx(burst) === 0) continue;
      const { view } = port.regions[0]!;
      let back = false;
      for (let k = 0; k < burst.count; k++) {
        const code = parseUdpFrame(view, burst.addr[k]!, burst.len[k]!, this.#frame);
        if (code === 0) back ||= readTrip(view, this.#frame.payloadOffset, this.#frame.payloadLen) === trip;
      }
      port.recycle(burst);
      if (back) return true;
    }
    return false;
  }
}

/** Sends every order back to where it came from. */
export function answerPort(end: RttEnd, seconds: number): void {
  let last = false;
  const handler: PayloadHandler = {
    onPayload(view, offset, len) {
      const trip = readTrip(view, offset, len);
      last ||= trip === LAST_TRIP;
      const to = source.reply(len);
      if (to >= 0) for (let i = 0; i < len; i++) source.replyView.setUint8(to + i, view.getUint8(offset + i));
    },
    onBurstEnd() {},
  };
  const port = openPort(end.via!, { flows: [{ port: ANSWER_PORT }] });
  using source = new PortSource(port, handler, { udpPort: ANSWER_PORT });
  const untilNs = nowNs() + (seconds + GRACE_SECONDS) * 1e9;
  for (let polls = 1; !last; polls++) {
    source.poll(64);
    if ((polls & 0xfff) === 0 && nowNs() > untilNs) return;
  }
}
