import { libc } from '../ffi/index.ts';
import { MappedFile, SystemError, UnsupportedError } from '../sys/index.ts';
import {
  SOL_XDP,
  XDP_MMAP_OFFSETS,
  XDP_PGOFF_RX_RING,
  XDP_PGOFF_TX_RING,
  XDP_RX_RING,
  XDP_TX_RING,
  XDP_UMEM_COMPLETION_RING,
  XDP_UMEM_FILL_RING,
  XDP_UMEM_PGOFF_COMPLETION_RING,
  XDP_UMEM_PGOFF_FILL_RING,
  xdp_mmap_offsets,
  xdp_ring_offset,
} from '../sys/uapi/index.ts';
import { ADDR_WORDS, DESC_WORDS, type RingMemory } from './ring.ts';

/** Which of the four rings. */
export type RingName = 'rx' | 'tx' | 'fill' | 'completion';

interface RingLayout {
  /** the socket option that sizes it */
  readonly option: number;
  /** the offset that names it to mmap(2) */
  readonly page: number;
  /** where struct xdp_mmap_offsets speaks of it [bytes] */
  readonly offsets: number;
  /** u32 words of a slot */
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

/**
 * Refuses a ring size that is no power of two, or too large.
 *
 * NB: the fill ring has twice the rx ring's slots, and whoever asked for an rx ring is to hear of that.
 *
 * @throws RangeError
 */
export function checkRingSize(name: RingName, size: number): void {
  const bits = name === 'rx' ? 23 : 24;
  if (!Number.isInteger(size) || size < 1 || size > 2 ** bits || (size & (size - 1)) !== 0) {
    throw new RangeError(
      `Cannot size ${name} ring: size must be a power of two up to 2^${bits}, got ${size}`,
    );
  }
}

/** A ring of the kernel, mapped into this process. */
export interface MappedRing {
  readonly memory: RingMemory;
  readonly mapping: MappedFile;
}

/** Makes the ring `name` of an AF_XDP socket that is not bound yet, and maps it. @param size - a power of two [slots] */
export function mapRing(fd: number, name: RingName, size: number): MappedRing {
  const ring = rings[name];
  if (libc.setsockopt(fd, SOL_XDP, ring.option, new Uint32Array([size]), 4) < 0) {
    throw new SystemError(`Cannot size ${name} ring to ${size} descriptors`, {
      syscall: `setsockopt(${name} ring)`,
    });
  }
  const offsets = readOffsets(fd);
  const at = (member: number): number => Number(offsets.getBigUint64(ring.offsets + member, true));
  const slots = at(xdp_ring_offset.desc);
  const mapping = new MappedFile(fd, slots + size * ring.words * 4, ring.page, `${name} ring`);
  const memory: RingMemory = {
    buffer: mapping.buffer,
    producer: at(xdp_ring_offset.producer),
    consumer: at(xdp_ring_offset.consumer),
    flags: at(xdp_ring_offset.flags),
    slots,
    size,
  };
  return { memory, mapping };
}

/** Where the kernel put cursors, flags and slots of the four rings. [struct xdp_mmap_offsets] */
function readOffsets(fd: number): DataView {
  const offsets = new DataView(new ArrayBuffer(xdp_mmap_offsets.sizeof));
  const len = new Uint32Array([xdp_mmap_offsets.sizeof]);
  if (libc.getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, offsets, len) < 0) {
    throw new SystemError('Cannot read ring offsets', { syscall: 'getsockopt(XDP_MMAP_OFFSETS)' });
  }
  if (len[0] !== xdp_mmap_offsets.sizeof) throw new UnsupportedError('AF_XDP with need_wakeup', 'Linux 5.4');
  return offsets;
}
