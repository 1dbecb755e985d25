import { MAX_REGION_LEN } from '../sys/index.ts';
import { sockaddr_ll, TPACKET_ALIGNMENT, tpacket2_hdr } from '../sys/uapi/index.ts';

const ETH_HEADER_LEN = 14;
const VLAN_TAG_LEN = 4;
const PAGE_LEN = 4096;
const MIN_FRAME_LEN = 2048;
const MAX_FRAME_LEN = 1 << 17;
/** Of one block where the ring is so long: fewer, larger pieces of memory for the kernel to find. [bytes] */
const BLOCK_LEN = 1 << 16;
const MIN_SIZE = 16;
const MAX_SIZE = 1 << 16;
/** Rings that nobody sized stay below this, whatever their frames' length. [bytes] */
const DEFAULT_RX_LEN = 32 << 20;
const DEFAULT_RX_SIZE = 2048;

const align = (len: number): number => Math.ceil(len / TPACKET_ALIGNMENT) * TPACKET_ALIGNMENT;

/** Where the kernel puts a received frame in its slot, without headroom. [bytes] @source net/packet/af_packet.c, tpacket_rcv() */
const RX_OFFSET = align(align(tpacket2_hdr.sizeof) + sockaddr_ll.sizeof + 16) - ETH_HEADER_LEN;

/** Where the kernel takes a frame to send from its slot. [bytes] @source net/packet/af_packet.c, tpacket_snd() */
export const TX_OFFSET: number = align(tpacket2_hdr.sizeof);

/** What memory a packet socket is to have. */
export interface PacketLayoutSpec {
  /** slots of the rx ring, a power of two from 16 to 65,536; default 2048, or what 32 MiB hold [slots] */
  readonly rxSize?: number;
  /** slots of the tx ring, and chunks for frames to send, as `rxSize`; default half the default of `rxSize` [slots] */
  readonly txSize?: number;
  /**
   * a slot, and a chunk: a power of two from 2048 to 131,072, of which frame and header together may take all; default
   * what a frame of the interface's MTU needs [bytes]
   */
  readonly frameLen?: number;
  /** free bytes before each frame, beyond those that are there anyway; default 0 [bytes] */
  readonly headroom?: number;
}

/** Where everything lies in the memory of a packet socket: rx slots from 0 on, tx slots behind, then chunks. */
export interface PacketLayout {
  readonly rxSize: number;
  readonly txSize: number;
  readonly frameLen: number;
  readonly headroom: number;
  /** start of the tx ring [bytes] */
  readonly txBase: number;
  /** start of our own chunks, which is where the kernel's memory ends [bytes] */
  readonly chunkBase: number;
  /** [bytes] */
  readonly len: number;
  /** longest frame that is received whole [bytes] */
  readonly maxRxLen: number;
  /** longest frame that has room in a chunk from alloc() [bytes] */
  readonly maxTxLen: number;
}

/**
 * Lays the memory out, for an interface of that MTU unless told otherwise.
 *
 * @throws RangeError when a size is out of range, or all of it would be longer than a region may be
 */
export function packetLayout(mtu: number, spec: PacketLayoutSpec = {}): PacketLayout {
  const { headroom = 0 } = spec;
  if (!Number.isInteger(headroom) || headroom < 0 || headroom > 1024) {
    throw refusal('headroom', 'an integer from 0 to 1024', headroom);
  }
  const needed = RX_OFFSET + headroom + ETH_HEADER_LEN + VLAN_TAG_LEN + mtu;
  const fitting = Math.min(MAX_FRAME_LEN, Math.max(MIN_FRAME_LEN, 2 ** Math.ceil(Math.log2(needed))));
  const { frameLen = fitting } = spec;
  checkPower('frame length', frameLen, MIN_FRAME_LEN, MAX_FRAME_LEN);
  const usual = Math.min(DEFAULT_RX_SIZE, DEFAULT_RX_LEN / frameLen);
  const { rxSize = usual, txSize = usual / 2 } = spec;
  checkPower('rx ring', rxSize, MIN_SIZE, MAX_SIZE);
  checkPower('tx ring', txSize, MIN_SIZE, MAX_SIZE);
  const len = (rxSize + 2 * txSize) * frameLen;
  if (len > MAX_REGION_LEN) {
    throw refusal('memory', `at most ${MAX_REGION_LEN} bytes: fewer slots, or shorter ones`, len);
  }
  return {
    ...{ rxSize, txSize, frameLen, headroom, len },
    txBase: rxSize * frameLen,
    chunkBase: (rxSize + txSize) * frameLen,
    maxRxLen: frameLen - RX_OFFSET - headroom,
    maxTxLen: frameLen - TX_OFFSET - headroom,
  };
}

/** Length of the blocks in which the kernel allocates a ring: whole pages, each with whole slots. [bytes] */
export function blockLen(size: number, frameLen: number): number {
  return Math.max(frameLen, PAGE_LEN, Math.min(BLOCK_LEN, size * frameLen));
}

function checkPower(what: string, value: number, min: number, max: number): void {
  const power = Number.isInteger(value) && (value & (value - 1)) === 0;
  if (!power || value < min || value > max)
    throw refusal(what, `a power of two from ${min} to ${max}`, value);
}

function refusal(what: string, wanted: string, got: number): RangeError {
  return new RangeError(`Cannot lay out packet rings: ${what} must be ${wanted}, got ${got}`);
}
