import { type Burst, FrameFlags, type Pollable } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';

/** How a loop takes its frames. */
export interface PortLoopSpec {
  /** most descriptors of a poll, 1 to 65,536; default 64 */
  readonly burst?: number;
}

/**
 * A pollable that moves frames through ports and knows nothing of what they say.
 *
 * A poll is one burst, whatever the budget. The frames themselves are counted by the ports; the ports' owner closes them.
 */
export interface PortLoop extends Pollable {
  /** frames that went on without the VLAN tag that a NIC had taken off; absent where none goes on */
  readonly untagged?: number;
  /** Frames that the loop itself lost, by reason; what the ports lost stands in their statistics. */
  drops(): Record<string, number>;
}

/** Descriptors of a burst unless told. */
export const DEFAULT_BURST = 64;

/** Shortest frame that a port sends: an Ethernet header. [bytes] */
export const MIN_FRAME_LEN = 14;

/** Without its checksum, and with a VLAN tag, a frame has so much beyond the IP packet. [bytes] */
const BEYOND_MTU = 18;

/**
 * Returns the length of the longest frame that a port sends from one chunk.
 *
 * @hot
 */
export function maxFrameLen(port: Port): number {
  return Math.min(port.mtu + BEYOND_MTU, port.maxPieceLen);
}

/**
 * Sends a burst and empties it. What the port refuses, once more after a flush, goes back to the port unsent.
 *
 * @returns frames that were not sent
 * @throws SystemError once the interface is gone
 * @hot
 */
export function sendOrDrop(port: Port, burst: Burst): number {
  burst.dropPrefix(port.tx(burst));
  port.flush();
  if (burst.count === 0) return 0;
  burst.dropPrefix(port.tx(burst));
  port.flush();
  const dropped = countFrames(burst);
  port.recycle(burst);
  return dropped;
}

/** Counts frames, of which each may have several descriptors. */
function countFrames(burst: Burst): number {
  let frames = 0;
  for (let i = 0; i < burst.count; i++) {
    if ((burst.flags[i]! & FrameFlags.continues) === 0) frames++;
  }
  return frames;
}
