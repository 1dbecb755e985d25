import { type Burst, FrameFlags } from '../../core/index.ts';

/**
 * Exchanges source and destination MAC address of every frame of a burst, in place.
 *
 * Of a frame over several chunks the first has them.
 *
 * @param views - the port's regions; `burst.region` indexes them
 * @param chained - whether a frame of the burst may lie over several chunks
 * @hot
 */
export function swapMacs(views: readonly DataView[], burst: Burst, chained: boolean): void {
  const count = burst.count;
  const addr = burst.addr;
  const region = burst.region;
  const flags = burst.flags;
  let continues = 0;
  // measured: 8.2 ns a frame when its region is looked up, 6.6 when the only one is looked up once, and some 2.4 less
  // when no flag is read either (`barewire bench rings`).
  if (views.length === 1 && !chained) {
    const view = views[0]!;
    for (let i = 0; i < count; i++) swapAt(view, addr[i]! | 0);
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
