import { Burst, copyDescriptor, FrameFlags } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import {
  ChecksumMode,
  computeChecksum,
  echoUdpFrame,
  frameErrorNames,
  parseUdpFrame,
  UdpFrame,
} from '../../wire/index.ts';
import { DEFAULT_BURST, type PortLoop, type PortLoopSpec, sendOrDrop } from './portLoop.ts';

const CHAINED = frameErrorNames.length;
const TX_FULL = CHAINED + 1;
const UNTAGGED = TX_FULL + 1;
const dropNames: readonly string[] = [...frameErrorNames, 'chained', 'txFull'];

const UDP_CHECKSUM = 6;
const UDP_HEADER_LEN = 8;

/**
 * Sends every UDP datagram back where it came from, in the chunk in which it arrived.
 *
 * Verifies every checksum that the port does not vouch for. What cannot be answered is dropped and counted under its
 * reason.
 *
 * NB: a VLAN tag that the NIC took off is lost: see {@link UdpEcho.untagged}.
 *
 * @source RFC 862
 */
export class UdpEcho implements PortLoop {
  readonly fds: readonly number[];
  readonly #port: Port;
  readonly #burst: Burst;
  readonly #answers: Burst;
  readonly #refused: Burst;
  readonly #frame = new UdpFrame();
  readonly #dropped = new Float64Array(UNTAGGED + 1);

  /** @throws RangeError when the burst is none */
  constructor(port: Port, spec: PortLoopSpec = {}) {
    const burst = spec.burst ?? DEFAULT_BURST;
    this.fds = port.fds;
    this.#port = port;
    this.#burst = new Burst(burst);
    this.#answers = new Burst(burst);
    this.#refused = new Burst(burst);
  }

  /** Receives a burst and answers it. @returns descriptors received @throws SystemError once the interface is gone @hot */
  poll(_budget: number): number {
    const port = this.#port;
    const burst = this.#burst;
    const count = port.rx(burst);
    if (count === 0) {
      port.flush();
      return 0;
    }
    const answers = this.#answers;
    const refused = this.#refused;
    const dropped = this.#dropped;
    let chained = 0;
    for (let i = 0; i < count; i++) {
      const continues = burst.flags[i]! & FrameFlags.continues;
      let len = 0;
      if ((chained | continues) === 0) {
        len = this.#echo(burst, i);
        if (len < 0) dropped[-len]! += 1;
      } else if (continues === 0) {
        // Counted once, at the last piece.
        dropped[CHAINED]! += 1;
      }
      chained = continues;
      const to = len > 0 ? answers : refused;
      copyDescriptor(burst, i, to, to.count);
      if (len > 0) {
        to.len[to.count] = len;
        if ((burst.flags[i]! & FrameFlags.vlan) !== 0) dropped[UNTAGGED]! += 1;
      }
      to.count++;
    }
    if (refused.count > 0) port.recycle(refused);
    const unsent = sendOrDrop(port, answers);
    if (unsent > 0) dropped[TX_FULL]! += unsent;
    return count;
  }

  /** Asks the port. @throws SystemError once the interface is gone */
  arm(): boolean {
    return this.#port.arm();
  }

  /**
   * Answers without the VLAN tag that the NIC had taken off the datagram, as far as the port tells: no port puts one
   * back. `ethtool -K IFACE rxvlan off` leaves tags in the frames.
   */
  get untagged(): number {
    return this.#dropped[UNTAGGED]!;
  }

  /** Frames that were not answered, by reason; reasons that did not occur are left out. */
  drops(): Record<string, number> {
    const drops: Record<string, number> = {};
    for (const [i, name] of dropNames.entries()) {
      if (this.#dropped[i]! > 0) drops[name] = this.#dropped[i]!;
    }
    return drops;
  }

  /** Makes a frame its own answer. @returns its length, or a negative FrameError */
  #echo(burst: Burst, i: number): number {
    const view = this.#port.regions[burst.region[i]!]!.view;
    const flags = burst.flags[i]!;
    const verified = (flags & FrameFlags.checksumVerified) !== 0;
    const mode = verified ? ChecksumMode.verified : ChecksumMode.verify;
    const code = parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, this.#frame, mode);
    if (code < 0) return code;
    const len = echoUdpFrame(this.#frame);
    if (len > 0 && (flags & FrameFlags.checksumPartial) !== 0) finishChecksum(this.#frame);
    return len;
  }
}

/** No port sends on that a checksum was left to a NIC. The field holds the sum of the pseudo header. */
function finishChecksum({ view, l4, payloadLen }: UdpFrame): void {
  const checksum = computeChecksum(view, l4, (payloadLen + UDP_HEADER_LEN) | 0);
  // RFC 768: a computed checksum of zero is sent as all ones.
  view.setUint16((l4 + UDP_CHECKSUM) | 0, checksum === 0 ? 0xffff : checksum);
}
