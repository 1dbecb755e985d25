import { ConsumerCursor, ProducerCursor } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { MappedFile, SystemError } from '../sys/index.ts';
import {
  SOL_XDP,
  XDP_MMAP_OFFSETS,
  XDP_PGOFF_RX_RING,
  XDP_PGOFF_TX_RING,
  XDP_RING_NEED_WAKEUP,
  XDP_RX_RING,
  XDP_TX_RING,
  XDP_UMEM_COMPLETION_RING,
  XDP_UMEM_FILL_RING,
  XDP_UMEM_PGOFF_COMPLETION_RING,
  XDP_UMEM_PGOFF_FILL_RING,
  xdp_mmap_offsets,
  xdp_ring_offset,
} from '../sys/uapi/index.ts';

/** u32 words of a `struct xdp_desc`: addr (two words), len, options. @source linux/if_xdp.h */
export const DESC_WORDS: number = 4;
/** u32 words of a fill or completion entry: a u64 addr. */
export const ADDR_WORDS: number = 2;

/** Which of the four rings. */
export type RingName = 'rx' | 'tx' | 'fill' | 'completion';

interface RingLayout {
  /** the socket option that sizes it */
  readonly option: number;
  /** the offset that names it to mmap(2) */
  readonly page: number;
  /** where struct xdp_mmap_offsets speaks of it [bytes] */
  readonly offsets: number;
  /** u32 words of an entry */
  readonly words: number;
}

const rings: Readonly<Record<RingName, RingLayout>> = {
  rx: { option: XDP_RX_RING, page: XDP_PGOFF_RX_RING, offsets: xdp_mmap_offsets.rx, words: DESC_WORDS },
  tx: { option: XDP_TX_RING, page: XDP_PGOFF_TX_RING, offsets: xdp_mmap_offsets.tx, words: DESC_WORDS },
  fill: {
    option: XDP_UMEM_FILL_RING,
    page: XDP_UMEM_PGOFF_FILL_RING,
    offsets: xdp_mmap_offsets.fr,
    words: ADDR_WORDS,
  },
  completion: {
    option: XDP_UMEM_COMPLETION_RING,
    page: XDP_UMEM_PGOFF_COMPLETION_RING,
    offsets: xdp_mmap_offsets.cr,
    words: ADDR_WORDS,
  },
};

/** Sizes the ring `name` of an AF_XDP socket, before it is bound. @param size - a power of two [descriptors] */
export function sizeRing(fd: number, name: RingName, size: number): void {
  if (!Number.isInteger(size) || size < 1 || size > 2 ** 24 || (size & (size - 1)) !== 0) {
    throw new RangeError(`Cannot size ${name} ring: size must be a power of two up to 2^24, got ${size}`);
  }
  if (libc.setsockopt(fd, SOL_XDP, rings[name].option, new Uint32Array([size]), 4) < 0) {
    throw new SystemError(`Cannot size ${name} ring to ${size} descriptors`, {
      syscall: `setsockopt(${name} ring)`,
    });
  }
}

/** Reads where the kernel put cursors, flags and descriptors of the four rings. [struct xdp_mmap_offsets] */
export function readRingOffsets(fd: number): DataView {
  const offsets = new DataView(new ArrayBuffer(xdp_mmap_offsets.sizeof));
  const len = new Uint32Array([xdp_mmap_offsets.sizeof]);
  if (libc.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, offsets, len) < 0) {
    throw new SystemError('Cannot read ring offsets', { syscall: 'getsockopt(XDP_MMAP_OFFSETS)' });
  }
  if (len[0] !== xdp_mmap_offsets.sizeof) {
    throw new Error(`Cannot use ring offsets of ${len[0]} bytes: this kernel is older than Linux 5.4`);
  }
  return offsets;
}

/** A ring mapped into this process: its memory, and where its parts lie. */
class MappedRing implements Disposable {
  /** [descriptors], a power of two */
  readonly size: number;
  /** the descriptors as u32 words: `DESC_WORDS` or `ADDR_WORDS` for each slot */
  readonly words: Uint32Array;
  protected readonly mapping: MappedFile;
  protected readonly producerOffset: number;
  protected readonly consumerOffset: number;
  readonly #flags: Int32Array;

  constructor(fd: number, name: RingName, size: number, offsets: DataView) {
    const ring = rings[name];
    const at = (member: number): number => Number(offsets.getBigUint64(ring.offsets + member, true));
    const descriptors = at(xdp_ring_offset.desc);
    this.producerOffset = at(xdp_ring_offset.producer);
    this.consumerOffset = at(xdp_ring_offset.consumer);
    this.size = size;
    this.mapping = new MappedFile(fd, descriptors + size * ring.words * 4, ring.page, `${name} ring`);
    this.words = new Uint32Array(this.mapping.buffer, descriptors, size * ring.words);
    this.#flags = new Int32Array(this.mapping.buffer, at(xdp_ring_offset.flags), 1);
  }

  /**
   * Tells whether the kernel sleeps on this ring and wants a system call.
   *
   * NB: an atomic load, because it must not be satisfied before the cursor store that precedes it; otherwise the
   * kernel's "I sleep" and our "there is work" can miss each other.
   *
   * @hot
   */
  needsWakeup(): boolean {
    return (Atomics.load(this.#flags, 0) & XDP_RING_NEED_WAKEUP) !== 0;
  }

  /** Unmaps the ring. Idempotent. */
  close(): void {
    this.mapping.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A ring that we fill: the fill ring (chunks for the kernel to receive into) and the tx ring (frames to send). */
export class ProducerRing extends MappedRing {
  readonly cursor: ProducerCursor;

  /** Maps ring `name` of the socket `fd`. */
  constructor(fd: number, name: 'fill' | 'tx', size: number, offsets: DataView) {
    super(fd, name, size, offsets);
    this.cursor = new ProducerCursor(this.mapping.buffer, this.producerOffset, this.consumerOffset, size);
  }
}

/** A ring that we drain: the rx ring (frames that arrived) and the completion ring (chunks that were sent). */
export class ConsumerRing extends MappedRing {
  readonly cursor: ConsumerCursor;

  /** Maps ring `name` of the socket `fd`. */
  constructor(fd: number, name: 'rx' | 'completion', size: number, offsets: DataView) {
    super(fd, name, size, offsets);
    this.cursor = new ConsumerCursor(this.mapping.buffer, this.producerOffset, this.consumerOffset, size);
  }
}
