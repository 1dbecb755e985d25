import { CaptureError } from './captureError.ts';
import { readPcap } from './pcap.ts';
import { readPcapng } from './pcapng.ts';

/** When a frame was captured, as a wall-clock time since 1970-01-01 UTC. */
export interface CaptureTime {
  /** whole seconds; negative before 1970 */
  readonly sec: number;
  /** the rest, 0 to 999,999,999 [nanoseconds] */
  readonly ns: number;
}

/** A frame in a capture. */
export interface CapturedFrame {
  /** where its bytes begin in the capture [byte offset] */
  readonly offset: number;
  /** what the capture holds of it [bytes] */
  readonly len: number;
  /** what was on the wire; more than `len` when the capture cut it short [bytes] */
  readonly originalLen: number;
  /** when it was captured; undefined where the format has no room for it (a simple packet block) */
  readonly wallTime: CaptureTime | undefined;
  /** interface it was captured on, counted over the whole capture; 0 in pcap, which knows one only */
  readonly interfaceIndex: number;
}

const PCAPNG_SECTION = 0x0a0d0d0a;

/**
 * Yields the frames of a capture, pcap or pcapng, of Ethernet.
 *
 * Nothing is copied and nothing is read ahead: what stands before a malformed part is yielded first. Both byte orders,
 * time in microseconds, nanoseconds and every other resolution of pcapng, several interfaces and sections; blocks that
 * hold no frame are stepped over. Not for hot code: it makes an object per frame.
 *
 * @param capture - the whole file
 * @throws CaptureError - on the way, at the first part that is malformed or not Ethernet
 * @source draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng
 * @example
 * const view = new DataView(capture.buffer, capture.byteOffset, capture.byteLength);
 * for (const { offset, len } of readCapture(capture)) parseUdpFrame(view, offset, len, frame);
 */
export function* readCapture(capture: Uint8Array): Generator<CapturedFrame, void, undefined> {
  const view = new DataView(capture.buffer, capture.byteOffset, capture.byteLength);
  if (view.byteLength < 4)
    throw new CaptureError(0, `wanted a pcap or pcapng file, not ${view.byteLength} bytes`);
  if (view.getUint32(0) === PCAPNG_SECTION) yield* readPcapng(view);
  else yield* readPcap(view);
}
