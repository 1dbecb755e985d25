import {
  METADATA_HARDWARE_NS,
  METADATA_HAS_HARDWARE_NS,
  METADATA_HAS_HASH,
  METADATA_HAS_VLAN,
  METADATA_HASH,
  METADATA_KERNEL_NS,
  METADATA_VALID,
  METADATA_VLAN_TCI,
} from '../bpf/index.ts';
import { type Burst, FrameFlags } from '../core/index.ts';

import { nowNs } from '../sys/index.ts';

const TWO_32 = 2 ** 32;

/** Indexes of {@link RxMetadata}'s anchor: a stamp of the NIC's clock, and the monotonic time that it stands for. */
const NIC_HIGH = 0;
const NIC_LOW = 1;
const MONOTONIC_NS = 2;

/**
 * Whose clock stamped a received frame: the NIC's, or the kernel's when the XDP program saw the frame.
 *
 * `hardware` stamps are put on the monotonic clock by the first frame that has one: differences between frames are the
 * NIC's, the zero point is as good as that frame's way to the program was short.
 */
export type RxClock = 'hardware' | 'kernel';

/**
 * Fills the columns of a burst of which nothing is known but that it is here: its frames have the time of the lane's
 * clock, one for all, and no hash.
 *
 * @hot
 */
export function stampByLane(burst: Burst): void {
  const stamps = burst.timestampNs;
  if (stamps !== null) {
    const now = nowNs();
    // NB: fill() would have the number put on the heap.
    for (let i = 0; i < burst.count; i++) stamps[i] = now;
  }
  if (burst.hash !== null) burst.hash.fill(0, 0, burst.count);
}

/** Reads what the flow program wrote before each frame into the columns of a burst that has room for it. */
export class RxMetadata {
  readonly #view: DataView;
  readonly #hardware: boolean;
  readonly #anchor = new Float64Array(3);

  /** @param view - of the umem */
  constructor(view: DataView, clock: RxClock) {
    this.#view = view;
    this.#hardware = clock === 'hardware';
  }

  /**
   * Fills `timestampNs`, `hash` and `vlan` of every descriptor; the pieces of a frame share those of its first.
   *
   * @hot
   */
  read(burst: Burst): void {
    const view = this.#view;
    const flags = burst.flags;
    let frame = 0;
    let starts = true;
    for (let i = 0; i < burst.count; i++) {
      if (starts) frame = burst.addr[i]!;
      starts = (flags[i]! & FrameFlags.continues) === 0;
      const valid = view.getUint32(frame + METADATA_VALID, true);
      if (burst.timestampNs !== null) this.#stamp(burst.timestampNs, i, frame, valid);
      if (burst.hash !== null)
        burst.hash[i] = (valid & METADATA_HAS_HASH) === 0 ? 0 : view.getUint32(frame + METADATA_HASH, true);
      if ((valid & METADATA_HAS_VLAN) !== 0) {
        flags[i]! |= FrameFlags.vlan;
        burst.vlan[i] = view.getUint16(frame + METADATA_VLAN_TCI, true);
      }
    }
  }

  /** Writes the stamp of the frame at `frame` to `to[i]`: the NIC's where it has one and is asked for, else the kernel's. */
  #stamp(to: Float64Array, i: number, frame: number, valid: number): void {
    const view = this.#view;
    const kernelNs =
      view.getUint32(frame + METADATA_KERNEL_NS + 4, true) * TWO_32 +
      view.getUint32(frame + METADATA_KERNEL_NS, true);
    to[i] = kernelNs;
    if (!this.#hardware || (valid & METADATA_HAS_HARDWARE_NS) === 0) return;
    const high = view.getUint32(frame + METADATA_HARDWARE_NS + 4, true);
    const low = view.getUint32(frame + METADATA_HARDWARE_NS, true);
    const anchor = this.#anchor;
    if (anchor[MONOTONIC_NS] === 0) {
      anchor[NIC_HIGH] = high;
      anchor[NIC_LOW] = low;
      anchor[MONOTONIC_NS] = kernelNs;
    }
    // The halves are subtracted apart: a stamp of today needs 61 bits, a difference far fewer.
    to[i] = anchor[MONOTONIC_NS]! + (high - anchor[NIC_HIGH]!) * TWO_32 + (low - anchor[NIC_LOW]!);
  }
}
