import type { Burst } from '../core/index.ts';
import { XDP_PKT_CONTD } from '../sys/uapi/index.ts';
import type { Umem } from './umem.ts';

/** Shortest first piece of a frame that the kernel sends. */
export const ETH_HEADER_LEN = 14;
/** Most pieces of a frame that the kernel sends in copy mode. @source net/xdp/xsk.c, MAX_SKB_FRAGS + 1 */
const MAX_PIECES = 18;

/**
 * Looks at each descriptor by itself.
 *
 * @returns how many are continued in the next one
 * @throws RangeError for the first that the kernel would not send
 */
export function checkFrames(umem: Umem, burst: Burst, first: number, count: number): number {
  let continuing = 0;
  let pieces = 1;
  for (let i = first; i < first + count; i++) {
    const addr = burst.addr[i]!;
    const len = burst.len[i]!;
    const inChunk = addr - umem.pool.chunkOf(addr);
    // NB: in copy mode Linux 6.18 completes an odd addr as the even one before it: at the start of a chunk of odd length
    // that is in another chunk, which would be freed in its stead.
    const before = umem.txMetadataLen + (addr & 1);
    const fits = inChunk >= before && inChunk + len <= umem.chunkLen && addr < umem.len;
    if (!fits || len < (pieces === 1 ? ETH_HEADER_LEN : 1)) throw badFrame(umem, addr, len);
    const continues = burst.flags[i]! & XDP_PKT_CONTD;
    continuing += continues;
    pieces = continues === 0 ? 1 : pieces + 1;
    if (pieces > MAX_PIECES) throw new RangeError(`Cannot send a frame of more than ${MAX_PIECES} pieces`);
  }
  if (pieces !== 1) throw new RangeError('Cannot send a frame whose last piece is not in the burst');
  return continuing;
}

function badFrame(umem: Umem, addr: number, len: number): RangeError {
  const what = `Cannot send frame at ${addr} of ${len} bytes`;
  if (addr >= umem.len) return new RangeError(`${what}: the umem ends at ${umem.len}`);
  const room = umem.txMetadataLen === 0 ? '' : ` behind ${umem.txMetadataLen} bytes of metadata`;
  return new RangeError(
    `${what}: it must be at least ${ETH_HEADER_LEN} bytes and stay in its chunk of ${umem.chunkLen}${room}`,
  );
}

/**
 * Descriptors of a received `burst` that make up whole frames.
 *
 * @throws RangeError when it has no room for the first
 */
export function wholeFrames(burst: Burst): number {
  let count = burst.count;
  while (count > 0 && (burst.flags[count - 1]! & XDP_PKT_CONTD) !== 0) count--;
  if (count === 0 && burst.count === burst.capacity) throwNoRoom(burst);
  return count;
}

/** NB: the burst is emptied, since its chunks are on the rx ring still. */
function throwNoRoom(burst: Burst): never {
  burst.count = 0;
  throw new RangeError(
    `Cannot receive a frame of more than ${burst.capacity} pieces: make the burst larger, ${MAX_PIECES} will do`,
  );
}
