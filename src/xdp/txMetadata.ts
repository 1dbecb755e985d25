import { type Burst, FrameFlags } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { CLOCK_MONOTONIC, CLOCK_TAI } from '../sys/uapi/index.ts';
import { foldSum, sumWords } from '../wire/index.ts';
import type { Umem } from './umem.ts';

// struct xsk_tx_metadata lies directly before the frame: offsets from the frame's first byte. [bytes]
const FLAGS = -24;
const CSUM_START = -16;
const CSUM_OFFSET = -14;
const SENT_NS = -16;

// XDP_TXMD_FLAGS_…
const TIMESTAMP = 1;
const CHECKSUM = 2;

const TWO_32 = 2 ** 32;

/**
 * What is asked of the kernel or the NIC for a frame to be sent, and what they tell of it afterwards.
 *
 * Of a umem with `txMetadata`. Where the driver can, the NIC does it; in copy mode the kernel: the checksum in software,
 * the time when it was done with the frame. Where neither can, tx() computes the checksum and nobody tells the time.
 *
 * ```ts
 * metadata.askTimestamp(burst, 0);
 * socket.tx(burst); socket.flush();
 * …
 * for (let n = socket.completed(burst); n > 0; n--) metadata.sentNs(burst.addr[n - 1]!); // with keepCompletions
 * ```
 *
 * @source linux/if_xdp.h, struct xsk_tx_metadata; Documentation/networking/xsk-tx-metadata.rst
 * @since Linux 6.11; with a timestamp in copy mode 6.12
 */
export class TxMetadata {
  readonly #view: DataView;
  /** how far TAI is ahead of the monotonic clock, in halves, since the whole needs 61 bits [2^32 ns, ns] */
  readonly #ahead: Float64Array;

  /** @throws TypeError when the umem has no room for it */
  constructor(umem: Umem) {
    if (umem.txMetadataLen === 0) {
      throw new TypeError('Cannot ask for anything before a frame: make the umem with txMetadata: true');
    }
    this.#view = umem.view;
    this.#ahead = taiAheadNs();
  }

  /**
   * Asks for the time when frame `i` was sent, which {@link TxMetadata.sentNs} reads once it is completed.
   *
   * @hot
   */
  askTimestamp(burst: Burst, i: number): void {
    this.#ask(burst, i, TIMESTAMP);
  }

  /**
   * Has the Internet checksum from `start` to the end of frame `i` written at `start + offset`, where the sum of the
   * pseudo header stands. [bytes from the frame's first]
   *
   * NB: what the sum covers is the transport header and all behind it: 34 and 6 for UDP in IPv4 without options.
   *
   * @hot
   */
  askChecksum(burst: Burst, i: number, start: number, offset: number): void {
    this.#ask(burst, i, CHECKSUM);
    this.#view.setUint16(burst.addr[i]! + CSUM_START, start, true);
    this.#view.setUint16(burst.addr[i]! + CSUM_OFFSET, offset, true);
  }

  /**
   * When the completed frame at `addr` was sent, on the monotonic clock. [ns]
   *
   * A NIC stamps by its own clock, which has to run on TAI for that, as ptp4l keeps it. The distance of the clocks is
   * that at construction.
   *
   * @returns NaN when nobody has told; what is not to be used unless {@link TxMetadata.askTimestamp} was called for the
   *   frame
   * @hot
   */
  sentNs(addr: number): number {
    const view = this.#view;
    const high = view.getUint32(addr + SENT_NS + 4, true);
    const low = view.getUint32(addr + SENT_NS, true);
    if ((high | low) === 0) return Number.NaN;
    return (high - this.#ahead[0]!) * TWO_32 + (low - this.#ahead[1]!);
  }

  /** Sets a flag; the first one for a frame forgets those of the frame before it in the chunk. */
  #ask(burst: Burst, i: number, flag: number): void {
    const at = burst.addr[i]! + FLAGS;
    const asked = (burst.flags[i]! & FrameFlags.txMetadata) !== 0;
    this.#view.setUint32(at, asked ? this.#view.getUint32(at, true) | flag : flag, true);
    this.#view.setUint32(at + 4, 0, true);
    if (!asked) forgetTime(this.#view, burst.addr[i]!);
    burst.flags[i]! |= FrameFlags.txMetadata;
  }
}

/**
 * Looks at what stands before each flagged frame.
 *
 * NB: Linux 6.18 completes a frame with wrong metadata, and keeps it on the tx ring: its chunk would be owned twice.
 *
 * @throws RangeError
 */
export function checkTxMetadata(
  { view, txMetadataLen }: Umem,
  burst: Burst,
  first: number,
  count: number,
): void {
  for (let i = first; i < first + count; i++) {
    if ((burst.flags[i]! & FrameFlags.txMetadata) === 0) continue;
    const addr = burst.addr[i]!;
    const what = `Cannot send frame at ${addr} with metadata`;
    if (txMetadataLen === 0) throw new RangeError(`${what}: the umem has no room for it`);
    const flags = view.getUint32(addr + FLAGS, true);
    if ((flags & ~(TIMESTAMP | CHECKSUM)) !== 0 || view.getUint32(addr + FLAGS + 4, true) !== 0) {
      throw new RangeError(`${what}: flags must be of TxMetadata, got 0x${flags.toString(16)}`);
    }
    const end = view.getUint16(addr + CSUM_START, true) + view.getUint16(addr + CSUM_OFFSET, true) + 2;
    if ((flags & CHECKSUM) !== 0 && end > burst.len[i]!) {
      throw new RangeError(`${what}: its checksum would end at ${end} of ${burst.len[i]} bytes`);
    }
  }
}

/**
 * Computes the checksums that are asked for the flagged frames, which nobody else does for them.
 *
 * @hot
 */
export function finishChecksums({ view }: Umem, burst: Burst, first: number, count: number): void {
  for (let i = first; i < first + count; i++) {
    if ((burst.flags[i]! & FrameFlags.txMetadata) === 0) continue;
    const addr = burst.addr[i]!;
    const asked = view.getUint32(addr + FLAGS, true);
    if ((asked & CHECKSUM) === 0) continue;
    const start = view.getUint16(addr + CSUM_START, true);
    const at = addr + start + view.getUint16(addr + CSUM_OFFSET, true);
    view.setUint32(addr + FLAGS, asked & ~CHECKSUM, true);
    forgetTime(view, addr);
    // RFC 768: zero is sent as all ones, and for TCP both are the same.
    view.setUint16(at, ~sumFrom(view, burst, i, start) & 0xffff || 0xffff, true);
  }
}

/** Adds up frame `i` from byte `start` on, over all of its pieces. @returns folded, little-endian */
function sumFrom(view: DataView, burst: Burst, i: number, start: number): number {
  let sum = foldSum(sumWords(view, burst.addr[i]! + start, burst.len[i]! - start, 0));
  let len = burst.len[i]! - start;
  for (let piece = i; (burst.flags[piece]! & FrameFlags.continues) !== 0; ) {
    piece++;
    const words = foldSum(sumWords(view, burst.addr[piece]!, burst.len[piece]!, 0));
    // RFC 1071 §2 (B): behind an odd number of bytes the words are the other way round.
    sum = foldSum(sum + ((len & 1) === 0 ? words : words << 8));
    len += burst.len[piece]!;
  }
  return sum;
}

/** Clears what {@link TxMetadata.sentNs} reads: the same bytes as what was asked for the checksum. */
function forgetTime(view: DataView, addr: number): void {
  view.setUint32(addr + SENT_NS, 0, true);
  view.setUint32(addr + SENT_NS + 4, 0, true);
}

function taiAheadNs(): Float64Array {
  const time = new BigInt64Array(2);
  const read = (clock: number): bigint => {
    libc.clockGettime(clock, time);
    return time[0]! * 1_000_000_000n + time[1]!;
  };
  const ahead = read(CLOCK_TAI) - read(CLOCK_MONOTONIC);
  return Float64Array.of(Number(ahead >> 32n), Number(ahead & 0xffff_ffffn));
}
