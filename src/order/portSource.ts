import { Burst, FrameFlags } from '../core/index.ts';
import type { Port } from '../port/index.ts';
import { nowNs } from '../sys/index.ts';
import { ChecksumMode, frameErrorNames, parseUdpFrame, UdpFrame } from '../wire/index.ts';
import { ReplyFrames } from './replyFrames.ts';
import type { PayloadHandler, Source, SourceReport } from './source.ts';

/** What a {@link PortSource} takes from its port. */
export interface PortSourceSpec {
  /** UDP destination port; payloads for others are counted as `otherPort` */
  readonly udpPort: number;
  /** descriptors per burst; default 64 */
  readonly burst?: number;
}

const OTHER_PORT = frameErrorNames.length;
const CHAINED = frameErrorNames.length + 1;
const dropNames: readonly string[] = [...frameErrorNames, 'otherPort', 'chained'];

/**
 * UDP payloads out of the frames of a port, read in place.
 *
 * Verifies every checksum that the port does not vouch for. Each frame that is not taken has a counter under its reason,
 * and its chunk goes back with the rest of the burst. A frame over several chunks is `chained`: no datagram of ours is
 * so long.
 */
export class PortSource implements Source {
  readonly report: SourceReport;
  readonly fds: readonly number[];
  readonly udpPort: number;
  readonly maxReplyLen: number;
  readonly #port: Port;
  readonly #handler: PayloadHandler;
  readonly #burst: Burst;
  readonly #frame = new UdpFrame();
  readonly #replies: ReplyFrames;
  readonly #stampNs = new Float64Array(1);
  readonly #dropped = new Float64Array(dropNames.length);

  /** Takes over the port: closing the source closes it. */
  constructor(port: Port, handler: PayloadHandler, spec: PortSourceSpec) {
    const burst = spec.burst ?? 64;
    this.#port = port;
    this.#handler = handler;
    this.#burst = new Burst(burst);
    this.#replies = new ReplyFrames(port, burst);
    this.udpPort = spec.udpPort;
    this.report = port.report;
    this.fds = port.fds;
    this.maxReplyLen = this.#replies.maxLen;
  }

  /** Where {@link PortSource.reply} answers are written. */
  get replyView(): DataView {
    return this.#replies.view;
  }

  /** Whether the port is at its end. */
  get ended(): boolean {
    return this.#port.ended ?? false;
  }

  /** Receives, checks and hands over a burst. @throws SystemError once the interface is gone @hot */
  poll(_budget: number): number {
    const port = this.#port;
    const burst = this.#burst;
    const count = port.rx(burst);
    if (count === 0) return 0;
    const stampNs = this.#stampNs;
    stampNs[0] = nowNs();
    const frame = this.#frame;
    const dropped = this.#dropped;
    let chained = false;
    for (let i = 0; i < count; i++) {
      const flags = burst.flags[i]!;
      if (chained || (flags & FrameFlags.continues) !== 0) {
        // Counted once, at the last piece.
        chained = (flags & FrameFlags.continues) !== 0;
        if (!chained) dropped[CHAINED]! += 1;
        continue;
      }
      const view = port.regions[burst.region[i]!]!.view;
      const mode = (flags & FrameFlags.checksumVerified) !== 0 ? ChecksumMode.verified : ChecksumMode.verify;
      const code = parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame, mode);
      if (code < 0) dropped[-code]! += 1;
      else if (frame.destinationPort !== this.udpPort) dropped[OTHER_PORT]! += 1;
      else this.#handler.onPayload(view, frame.payloadOffset, frame.payloadLen, stampNs);
    }
    this.#handler.onBurstEnd();
    this.#replies.flush();
    port.recycle(burst);
    return count;
  }

  /** Asks the port. @throws SystemError once the interface is gone */
  arm(): boolean {
    return this.#port.arm();
  }

  /** Reserves an answer to the payload in hand; see {@link Source.reply}. @hot */
  reply(len: number): number {
    return this.#replies.reserve(this.#frame, len);
  }

  /** Sends the answers written so far. @hot */
  flush(): void {
    this.#replies.flush();
  }

  /** What the checks refused and what the port lost, by reason. */
  drops(): Record<string, number> {
    const drops: Record<string, number> = { ...this.#port.statistics().drops };
    for (const [i, name] of dropNames.entries()) {
      if (this.#dropped[i]! > 0) drops[name] = this.#dropped[i]!;
    }
    if (this.#replies.refused > 0) drops.replyNoRoom = this.#replies.refused;
    return drops;
  }

  /** Closes the port. Idempotent. */
  close(): void {
    this.#port.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
