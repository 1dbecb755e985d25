import type { Pollable } from '../core/index.ts';

/** Who takes payloads; called on the source's thread, inside `poll`. */
export interface PayloadHandler {
  /**
   * Takes one datagram's payload; it stays readable until the call returns.
   *
   * @param view - the memory it lies in
   * @param offset - where in `view` [bytes]
   * @param len - [bytes]
   * @param stampNs - `stampNs[0]` is when it was received, monotonic; one stamp per burst. An array, since V8 boxes a
   *   double that it hands to a function: 16 bytes for every payload
   * @hot
   */
  onPayload(view: DataView, offset: number, len: number, stampNs: Float64Array): void;

  /** Called once behind the payloads of a burst, before its memory is given back. @hot */
  onBurstEnd(): void;
}

/** Where payloads come from, how, and what was lost on the way. */
export interface SourceReport {
  /** the scheme: `xdp`, `loop`, `udp` */
  readonly via: string;
  /** payloads reach us without the kernel's network stack */
  readonly accelerated: boolean;
  /** in words: `native mode, copy, 2 of 2 queues` */
  readonly mode: string;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
}

/**
 * Something that yields datagram payloads to a handler: frames over a port, kernel UDP sockets.
 *
 * Decoders know no source and sources know no protocol; that is the seam. One thread drives a source.
 */
export interface Source extends Pollable, Disposable {
  readonly report: SourceReport;
  /** UDP port that payloads are taken from */
  readonly udpPort: number;
  /** longest payload that {@link Source.reply} takes; 0 when this source cannot answer [bytes] */
  readonly maxReplyLen: number;
  /** where replies are written; {@link Source.reply} returns an offset into it */
  readonly replyView: DataView;
  /** no payload will ever come again, as at the end of a capture; absent where one may always come */
  readonly ended?: boolean;

  /**
   * Makes room for an answer to the sender of the payload in hand; only inside `onPayload`.
   *
   * Sent by the next {@link Source.flush}, and at the latest when the burst ends.
   *
   * @param len - of the answer, at most `maxReplyLen` [bytes]
   * @returns offset in `replyView` to write at; -1 when there is no room now (counted as `replyNoRoom`)
   * @hot
   */
  reply(len: number): number;

  /** Sends the answers written so far. @hot */
  flush(): void;

  /** Payloads lost or refused so far, by reason: what the frame checks refused and what the kernel dropped. */
  drops(): Record<string, number>;

  /** Gives everything back. Idempotent. */
  close(): void;
}
