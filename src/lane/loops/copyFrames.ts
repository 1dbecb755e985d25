import { type Burst, copyBytes, FrameFlags } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import { MIN_FRAME_LEN, maxFrameLen } from './portLoop.ts';

/** Why {@link copyFrames} left frames out; its counters' indexes. */
export const CopyDrop = {
  /** the other port had no chunk for it */
  noChunk: 0,
  /** longer than the other port sends from one chunk, or shorter than an Ethernet header */
  badLength: 1,
  /** a frame over several chunks */
  chained: 2,
} as const;

/** How many counters {@link CopyDrop} has. */
export const COPY_DROPS: number = Object.keys(CopyDrop).length;

/**
 * Copies frames of one port into chunks of another: what forwarding between ports that share no memory costs.
 *
 * The frames themselves stay where they are, and the caller's. Flags and VLAN tag go along.
 *
 * @param burst - frames of `from`
 * @param out - frames of `to`; the copies are appended, as long as there is room
 * @param dropped - counters of frames left out, at the indexes of {@link CopyDrop}
 * @hot
 */
export function copyFrames(from: Port, burst: Burst, to: Port, out: Burst, dropped: Float64Array): void {
  const longest = maxFrameLen(to);
  let chained = 0;
  for (let i = 0; i < burst.count; i++) {
    const len = burst.len[i]!;
    const continues = burst.flags[i]! & FrameFlags.continues;
    const piece = chained | continues;
    chained = continues;
    if (piece !== 0) {
      // Counted once, at the last piece.
      if (continues === 0) dropped[CopyDrop.chained]! += 1;
    } else if (len < MIN_FRAME_LEN || len > longest) {
      dropped[CopyDrop.badLength]! += 1;
    } else if (to.alloc(out, 1) === 0) {
      dropped[CopyDrop.noChunk]! += 1;
    } else {
      const last = out.count - 1;
      const source = from.regions[burst.region[i]!]!.view;
      copyBytes(source, burst.addr[i]!, to.regions[out.region[last]!]!.view, out.addr[last]!, len);
      out.len[last] = len;
      out.flags[last] = burst.flags[i]!;
      out.vlan[last] = burst.vlan[i]!;
    }
  }
}
