import { type Burst, FrameFlags } from '../../core/index.ts';

/**
 * Exchanges source and destination MAC address of every frame of a burst, in place.
 *
 * Of a frame over several chunks the first has them.
 *
 * @param views - the port's regions; `burst.region` indexes them
 * @hot
 */
export function swapMacs(views: readonly DataView[], burst: Burst): void {
  const count = burst.count;
  const addr = burst.addr;
  const region = burst.region;
  const flags = burst.flags;
  let continues = 0;
  // measured: 6.6 ns a frame when the only region is looked up once, 8.2 when for every frame.
  if (views.length === 1) {
    const view = views[0]!;
    for (let i = 0; i < count; i++) {
      if (continues === 0) swapAt(view, addr[i]! | 0);
      continues = flags[i]! & FrameFlags.continues;
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    if (continues === 0) swapAt(views[region[i]!]!, addr[i]! | 0);
    continues = flags[i]! & FrameFlags.continues;
  }
}

/** Twelve bytes are three words; the halves of 6 bytes change places, so each word is made of two others. */
function swapAt(view: DataView, at: number): void {
  const a = view.getInt32(at, true);
  const b = view.getInt32((at + 4) | 0, true);
  const c = view.getInt32((at + 8) | 0, true);
  view.setInt32(at, (b >>> 16) | (c << 16), true);
  view.setInt32((at + 4) | 0, (c >>> 16) | (a << 16), true);
  view.setInt32((at + 8) | 0, (a >>> 16) | (b << 16), true);
}
