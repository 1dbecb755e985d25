import { Burst, copyDescriptor, FrameFlags } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import { COPY_DROPS, CopyDrop, copyFrames } from './copyFrames.ts';
import { swapMacs } from './macs.ts';
import { DEFAULT_BURST, MIN_FRAME_LEN, type PortLoop, type PortLoopSpec, sendOrDrop } from './portLoop.ts';

/** How {@link L2Forward} forwards. */
export interface L2ForwardSpec extends PortLoopSpec {
  /** exchange source and destination MAC address; default true */
  readonly swapMacs?: boolean;
}

const TX_FULL = COPY_DROPS;
const UNTAGGED = TX_FULL + 1;

/**
 * Receives frames on one port and transmits them on another, or back on the same one.
 *
 * When both ports see the same memory (one port, or a shared umem) frames move by address and nothing is copied;
 * otherwise {@link copyFrames} copies them, and {@link L2Forward.copies} says so. One direction: two ways are two loops.
 *
 * NB: a VLAN tag that the NIC took off is lost: see {@link L2Forward.untagged}.
 */
export class L2Forward implements PortLoop {
  readonly fds: readonly number[];
  /** frames are copied, since the ports share no memory */
  readonly copies: boolean;
  readonly #from: Port;
  readonly #to: Port;
  readonly #swap: boolean;
  readonly #views: readonly DataView[];
  /** where a region of `from` stands among those of `to`; null when nothing has to be translated */
  readonly #regions: Uint8Array | null;
  readonly #burst: Burst;
  /** the flags of the burst, four at a time */
  readonly #flagWords: Int32Array;
  readonly #out: Burst;
  readonly #refused: Burst;
  readonly #dropped = new Float64Array(UNTAGGED + 1);

  /** @throws RangeError when the burst is none */
  constructor(from: Port, to: Port = from, spec: L2ForwardSpec = {}) {
    const burst = spec.burst ?? DEFAULT_BURST;
    const regions = from === to ? null : sharedRegions(from, to);
    this.fds = from === to ? from.fds : [...from.fds, ...to.fds];
    this.copies = regions === undefined;
    this.#from = from;
    this.#to = to;
    this.#swap = spec.swapMacs ?? true;
    this.#views = from.regions.map(({ view }) => view);
    this.#regions = regions ?? null;
    this.#burst = new Burst(burst);
    this.#flagWords = new Int32Array(this.#burst.flags.buffer, 0, burst >> 2);
    this.#out = this.copies ? new Burst(burst) : this.#burst;
    this.#refused = new Burst(burst);
  }

  /** Receives a burst and sends it on. @returns descriptors received @throws SystemError once an interface is gone @hot */
  poll(_budget: number): number {
    const from = this.#from;
    const to = this.#to;
    const burst = this.#burst;
    const count = from.rx(burst);
    if (count === 0) {
      // What the kernel would not take before, and chunks of what it has sent since.
      to.flush();
      return 0;
    }
    if (!this.copies && hasShort(burst)) this.#refuseShort();
    const seen = flagsOf(burst, this.#flagWords);
    if ((seen & VLAN_OF_FOUR) !== 0) this.#dropped[UNTAGGED]! += countUntagged(burst);
    if (this.#swap) swapMacs(this.#views, burst, (seen & CONTINUES_OF_FOUR) !== 0);
    if (this.copies) {
      copyFrames(from, burst, to, this.#out, this.#dropped);
      from.recycle(burst);
    } else if (this.#regions !== null) {
      translate(burst, this.#regions);
    }
    const unsent = sendOrDrop(to, this.#out);
    if (unsent > 0) this.#dropped[TX_FULL]! += unsent;
    return count;
  }

  /** Asks both ports. @throws SystemError once an interface is gone */
  arm(): boolean {
    const idle = this.#from.arm();
    return this.#from === this.#to ? idle : this.#to.arm() && idle;
  }

  /**
   * Frames whose VLAN tag the NIC had taken off when they arrived, as far as the port tells: they go on without it,
   * since no port puts one back. `ethtool -K IFACE rxvlan off` leaves tags in the frames.
   */
  get untagged(): number {
    return this.#dropped[UNTAGGED]!;
  }

  /** Frames for which there was no room to transmit, and those that could not be copied or sent, by reason. */
  drops(): Record<string, number> {
    const dropped = this.#dropped;
    const drops: Record<string, number> = { txFull: dropped[TX_FULL]! };
    if (this.copies) for (const [name, i] of Object.entries(CopyDrop)) drops[name] = dropped[i]!;
    else if (dropped[CopyDrop.badLength]! > 0) drops.badLength = dropped[CopyDrop.badLength]!;
    return drops;
  }

  /** Gives back the frames that no port sends: without an Ethernet header, or with an empty piece. */
  #refuseShort(): void {
    const burst = this.#burst;
    const { len, flags } = burst;
    const refused = this.#refused;
    const count = burst.count;
    let kept = 0;
    for (let first = 0; first < count; ) {
      let last = first;
      let isShort = len[first] === 0;
      while ((flags[last]! & FrameFlags.continues) !== 0) isShort = len[++last] === 0 || isShort;
      isShort ||= last === first && len[first]! < MIN_FRAME_LEN;
      if (isShort) this.#dropped[CopyDrop.badLength]! += 1;
      for (let i = first; i <= last; i++) {
        if (isShort) copyDescriptor(burst, i, refused, refused.count++);
        else copyDescriptor(burst, i, burst, kept++);
      }
      first = last + 1;
    }
    burst.count = kept;
    if (refused.count > 0) this.#from.recycle(refused);
  }
}

/** Tells whether a descriptor is shorter than an Ethernet header: hardly any is, but a last piece may be. */
function hasShort(burst: Burst): boolean {
  const len = burst.len;
  let short = 0;
  for (let i = 0; i < burst.count; i++) short |= (len[i]! - MIN_FRAME_LEN) | 0;
  return short < 0;
}

/** Finds each region of `from` among those of `to`; undefined when one is not there. */
function sharedRegions(from: Port, to: Port): Uint8Array | undefined {
  const indexes = from.regions.map(({ bytes }) => {
    return to.regions.findIndex((region) => region.bytes.buffer === bytes.buffer);
  });
  return indexes.includes(-1) ? undefined : Uint8Array.from(indexes);
}

const VLAN_OF_FOUR = FrameFlags.vlan * 0x01010101;
const CONTINUES_OF_FOUR = FrameFlags.continues * 0x01010101;

/**
 * All flags of the burst, in any of the four bytes: hardly a frame has one.
 *
 * measured: within the noise; a look at each flag by itself adds 3 to 5 ns a frame (`barewire bench rings`).
 */
function flagsOf(burst: Burst, flagWords: Int32Array): number {
  const words = burst.count >> 2;
  let seen = 0;
  for (let i = 0; i < words; i++) seen |= flagWords[i]!;
  for (let i = words << 2; i < burst.count; i++) seen |= burst.flags[i]!;
  return seen;
}

/** Counts frames that arrived with a tag beside them, at their last piece. */
function countUntagged(burst: Burst): number {
  const flags = burst.flags;
  let count = 0;
  for (let i = 0; i < burst.count; i++) {
    if ((flags[i]! & (FrameFlags.vlan | FrameFlags.continues)) === FrameFlags.vlan) count++;
  }
  return count;
}

function translate(burst: Burst, regions: Uint8Array): void {
  const region = burst.region;
  for (let i = 0; i < burst.count; i++) region[i] = regions[region[i]!]!;
}
