/**
 * What is known about the frame behind a descriptor; bits of {@link Burst.flags}.
 *
 * A receiver that neither flag of the checksum speaks for has to verify it in software.
 */
export const FrameFlags = {
  /** The frame goes on in the next descriptor of the burst; a port never splits a frame between bursts. */
  continues: 1,
  /** Hardware or kernel has verified the transport checksum. */
  checksumVerified: 2,
  /** The transport checksum holds the pseudo header only (CHECKSUM_PARTIAL); the sender left it to hardware. */
  checksumPartial: 4,
  /** The VLAN tag was taken out of the frame and stands in {@link Burst.vlan}. */
  vlan: 8,
  /** To be sent: what the port is asked to do with the frame stands before its first byte. */
  txMetadata: 16,
} as const;

/** How to build a {@link Burst}. */
export interface BurstOptions {
  /** Whether to make room for a timestamp per descriptor; false by default. */
  readonly timestamps?: boolean;
  /** Whether to make room for a flow hash per descriptor; false by default. */
  readonly hashes?: boolean;
}

/**
 * Up to `capacity` descriptors, as a struct of arrays: preallocated once, filled and emptied for ever.
 *
 * Entries 0 … `count` - 1 are valid. Who writes an entry writes all its columns but `vlan` (valid only with
 * {@link FrameFlags}.vlan), so no entry needs clearing. Numbers, not objects: a descriptor costs a few plain
 * stores, and nothing here ever reaches the garbage collector.
 */
export class Burst {
  /** Most descriptors that fit [descriptors]. */
  readonly capacity: number;
  /** Valid descriptors [descriptors]; written by whoever fills the burst. */
  count: number = 0;
  /** Where the frame starts, from the start of its region [bytes]. */
  readonly addr: Uint32Array;
  /** How long the frame, or this piece of it, is [bytes]. */
  readonly len: Uint32Array;
  /** Index of the region in the port's `regions`. */
  readonly region: Uint8Array;
  /** Bits of {@link FrameFlags}. */
  readonly flags: Uint8Array;
  /** Tag control information that was taken out of the frame: priority, DEI, VLAN id [host order]. */
  readonly vlan: Uint16Array;
  /** When the frame was received [monotonic ns]; null unless asked for. */
  readonly timestampNs: Float64Array | null;
  /** What the NIC or the kernel hashed the frame's flow to, 0 when it did not; null unless asked for. */
  readonly hash: Uint32Array | null;

  /**
   * Allocates every column.
   *
   * @param capacity - most descriptors, 1 to 65,536 [descriptors]
   * @throws RangeError when the capacity is not a whole number in that range
   */
  constructor(capacity: number, options: BurstOptions = {}) {
    if (!(Number.isInteger(capacity) && capacity >= 1 && capacity <= 65_536)) {
      throw new RangeError(`Cannot build a burst: capacity must be 1 to 65536 descriptors, got ${capacity}`);
    }
    this.capacity = capacity;
    this.addr = new Uint32Array(capacity);
    this.len = new Uint32Array(capacity);
    this.region = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.vlan = new Uint16Array(capacity);
    this.timestampNs = options.timestamps === true ? new Float64Array(capacity) : null;
    this.hash = options.hashes === true ? new Uint32Array(capacity) : null;
  }

  /**
   * Forgets every descriptor; owns nothing, so frees nothing.
   *
   * @hot one store
   */
  clear(): void {
    this.count = 0;
  }

  /**
   * Says of the first `n` descriptors that nobody stamped or hashed them, for ports that have neither.
   *
   * @param n - descriptors, 0 to `capacity` [descriptors]
   * @hot at most two fills
   */
  clearMetadata(n: number): void {
    if (this.timestampNs !== null) this.timestampNs.fill(0, 0, n);
    if (this.hash !== null) this.hash.fill(0, 0, n);
  }

  /**
   * Removes the first `n` descriptors and moves the rest to the front.
   *
   * The other half of `tx(burst)`, which answers how many descriptors it accepted from the front: what this
   * leaves is what the caller still owns.
   *
   * @param n - descriptors to remove, 0 to `count` [descriptors]
   * @hot free when everything goes, otherwise one move per column
   */
  dropPrefix(n: number): void {
    const kept = this.count - n;
    if (kept > 0) {
      this.addr.copyWithin(0, n, this.count);
      this.len.copyWithin(0, n, this.count);
      this.region.copyWithin(0, n, this.count);
      this.flags.copyWithin(0, n, this.count);
      this.vlan.copyWithin(0, n, this.count);
      if (this.timestampNs !== null) this.timestampNs.copyWithin(0, n, this.count);
      if (this.hash !== null) this.hash.copyWithin(0, n, this.count);
    }
    this.count = kept;
  }
}

/**
 * Copies descriptor `i` of `from` over descriptor `j` of `to`; neither count changes.
 *
 * It copies the descriptor, not the frame: afterwards two entries name one chunk, and one has to be forgotten. The
 * timestamp and the hash go along when both bursts have room for them, and read 0 in `to` when only `to` has.
 *
 * @hot a load and a store per column
 */
export function copyDescriptor(from: Burst, i: number, to: Burst, j: number): void {
  to.addr[j] = from.addr[i]!;
  to.len[j] = from.len[i]!;
  to.region[j] = from.region[i]!;
  to.flags[j] = from.flags[i]!;
  to.vlan[j] = from.vlan[i]!;
  if (to.timestampNs !== null) to.timestampNs[j] = from.timestampNs === null ? 0 : from.timestampNs[i]!;
  if (to.hash !== null) to.hash[j] = from.hash === null ? 0 : from.hash[i]!;
}
