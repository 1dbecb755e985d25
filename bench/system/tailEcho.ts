import { Burst, copyDescriptor } from '../../src/core/index.ts';
import type { Port } from '../../src/port/index.ts';
import { nowNs } from '../../src/sys/index.ts';
import { echoUdpFrame, parseUdpFrame, UdpFrame } from '../../src/wire/index.ts';
import { LAST_TRIP, readTrip } from './rttTrip.ts';
import { WARM_TRIP } from './tailClient.ts';

const BURST = 64;

/** Turns orders round in their chunks: nothing is copied, each moves from the rx ring to the tx ring. */
export class TailEcho {
  readonly #port: Port;
  readonly #in = new Burst(BURST);
  readonly #out = new Burst(BURST);
  readonly #frame = new UdpFrame();
  readonly #untilNs = new Float64Array(1);
  #isWarm = false;
  #isOver = false;

  /**
   * @param port - receives what is to be answered
   * @param untilNs - when to stop, should the client's last word be lost [ns]
   */
  constructor(port: Port, untilNs: number) {
    this.#port = port;
    this.#untilNs[0] = untilNs;
  }

  /** Answers until {@link WARM_TRIP} was answered, or it is time. */
  warmUp(): void {
    while (!this.#isWarm && this.#turns());
  }

  /** Answers until the last trip was answered, or it is time. */
  run(): void {
    while (this.#turns());
  }

  /** Some looks at the port; false when the last trip was answered, or it is time. @hot */
  #turns(): boolean {
    for (let turn = 0; turn < 1024 && !this.#isOver; turn++) this.turn();
    return !this.#isOver && nowNs() < this.#untilNs[0]!;
  }

  /** Answers a burst, if there is one. @hot */
  turn(): void {
    const port = this.#port;
    const burst = this.#in;
    if (port.rx(burst) === 0) return;
    const out = this.#out;
    const frame = this.#frame;
    const view = port.regions[0]!.view;
    let refused = 0;
    out.clear();
    for (let i = 0; i < burst.count; i++) {
      const code = parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame);
      const len = code < 0 ? code : echoUdpFrame(frame);
      if (len < 0) {
        copyDescriptor(burst, i, burst, refused++);
        continue;
      }
      const trip = readTrip(view, frame.payloadOffset, frame.payloadLen);
      if (trip >= WARM_TRIP) this.#isWarm = true;
      if (trip === LAST_TRIP) this.#isOver = true;
      copyDescriptor(burst, i, out, out.count);
      out.len[out.count] = len;
      out.count++;
    }
    burst.count = refused;
    if (refused > 0) port.recycle(burst);
    out.dropPrefix(port.tx(out));
    if (out.count > 0) port.recycle(out);
    port.flush();
  }
}
