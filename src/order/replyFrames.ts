import { Burst } from '../core/index.ts';
import type { Port } from '../port/index.ts';
import { type UdpFrame, UdpFrameTemplate } from '../wire/index.ts';

/** The longest headers between MTU and payload: IPv6 and UDP. [bytes] */
const IP_UDP_LEN = 48;
/** with two VLAN tags [bytes] */
const ETHERNET_LEN = 22;

/**
 * Answers on their way out of a port: each a frame of its own, addressed to the sender of a received one.
 *
 * The payload is written by the caller after {@link ReplyFrames.reserve}; the headers, which need its checksum, follow
 * when the next answer is reserved or the burst is flushed.
 */
export class ReplyFrames {
  /** longest payload of an answer [bytes] */
  readonly maxLen: number;
  /** where payloads are written */
  readonly view: DataView;
  readonly #port: Port;
  readonly #burst: Burst;
  readonly #template = new UdpFrameTemplate();
  readonly #refused = new Float64Array(1);
  /** payload of the last answer, whose headers are still to be written; -1 when there is none */
  #openLen = -1;

  /** @param capacity - answers between two flushes */
  constructor(port: Port, capacity: number) {
    this.#port = port;
    this.#burst = new Burst(capacity);
    // An answer is one piece, also on a port whose packets may lie over several; it keeps the VLAN tags of the question.
    this.maxLen = Math.min(port.mtu, port.maxPieceLen - ETHERNET_LEN) - IP_UDP_LEN;
    // All frames that a port allocates lie in one region; it tells which.
    port.alloc(this.#burst, 1);
    this.view = port.regions[this.#burst.region[0]!]!.view;
    port.recycle(this.#burst);
  }

  /** Answers that found no chunk, no room on the tx ring, or nobody to go to. */
  get refused(): number {
    return this.#refused[0]!;
  }

  /**
   * Makes room for an answer to `frame`.
   *
   * @returns where in `view` its payload goes; -1 when there is no room or no one to answer, which is counted
   * @hot
   */
  reserve(frame: UdpFrame, len: number): number {
    const burst = this.#burst;
    this.#finish();
    if (burst.count === burst.capacity) this.flush();
    if (len > this.maxLen || this.#template.replyTo(frame) < 0 || this.#port.alloc(burst, 1) === 0) {
      this.#refused[0]! += 1;
      return -1;
    }
    this.#openLen = len;
    return burst.addr[burst.count - 1]! + this.#template.headerLen;
  }

  /** Sends what was reserved; an answer that the port does not take now is dropped and counted. @hot */
  flush(): void {
    const burst = this.#burst;
    if (burst.count === 0) return;
    this.#finish();
    burst.dropPrefix(this.#port.tx(burst));
    this.#port.flush();
    if (burst.count === 0) return;
    this.#refused[0]! += burst.count;
    this.#port.recycle(burst);
  }

  #finish(): void {
    if (this.#openLen < 0) return;
    const burst = this.#burst;
    const last = burst.count - 1;
    burst.len[last] = this.#template.write(this.view, burst.addr[last]!, this.#openLen);
    this.#openLen = -1;
  }
}
