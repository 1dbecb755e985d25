import type { CapturedFrame, CaptureTime } from './capture.ts';
import { assertEthernet, CaptureError } from './captureError.ts';

//   0               4               8                          len - 4         len
//  +---------------+---------------+------------- - - - ------+---------------+
//  | block type    | block len     | body                     | block len     |
//  +---------------+---------------+------------- - - - ------+---------------+
//
// Offsets below are from the beginning of a block. Every block is a multiple of 4 bytes long.
const BLOCK_LEN = 4;
const BODY = 8;
const MIN_BLOCK_LEN = 12;
const TRAILER_LEN = 4;

const BlockType = {
  section: 0x0a0d0d0a,
  interface: 1,
  packet: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const Option = { end: 0, timeResolution: 9, timeOffset: 14 } as const;

/** An interface as its description block has it. */
interface Interface {
  readonly index: number;
  /** longest capture of a frame; 0 for no limit [bytes] */
  readonly snapLen: number;
  readonly ticksPerSec: bigint;
  readonly offsetSec: bigint;
}

/** A block, and what is needed to read it. */
interface Block {
  readonly view: DataView;
  readonly little: boolean;
  readonly at: number;
  readonly len: number;
}

/**
 * Yields the frames of a pcapng file: enhanced, simple and (obsolete) packet blocks of every section.
 *
 * @throws CaptureError - on the way, at the first part that is malformed or not Ethernet
 * @source draft-ietf-opsawg-pcapng §3, §4
 */
export function* readPcapng(view: DataView): Generator<CapturedFrame, void, undefined> {
  let little = true;
  let interfaces: Interface[] = [];
  let interfaceCount = 0;
  for (let at = 0; at < view.byteLength; ) {
    // The type of a section block reads the same in either byte order; what follows it says which one holds.
    if (view.byteLength - at >= MIN_BLOCK_LEN && view.getUint32(at) === BlockType.section) {
      little = sectionIsLittleEndian(view, at);
      interfaces = [];
    }
    const block = readBlock(view, at, little);
    const type = view.getUint32(at, little);
    if (type === BlockType.section) checkSection(block);
    else if (type === BlockType.interface) interfaces.push(readInterface(block, interfaceCount++));
    else if (type === BlockType.enhancedPacket) yield readEnhancedPacket(block, interfaces);
    else if (type === BlockType.packet) yield readObsoletePacket(block, interfaces);
    else if (type === BlockType.simplePacket) yield readSimplePacket(block, interfaces);
    at += block.len;
  }
}

function sectionIsLittleEndian(view: DataView, at: number): boolean {
  if (view.getUint32(at + BODY, true) === BYTE_ORDER_MAGIC) return true;
  if (view.getUint32(at + BODY) === BYTE_ORDER_MAGIC) return false;
  const magic = view
    .getUint32(at + BODY)
    .toString(16)
    .padStart(8, '0');
  throw new CaptureError(at + BODY, `wanted the byte-order magic 1a2b3c4d, not ${magic}`);
}

function readBlock(view: DataView, at: number, little: boolean): Block {
  const room = view.byteLength - at;
  if (room < MIN_BLOCK_LEN)
    throw new CaptureError(at, `wanted a block of at least ${MIN_BLOCK_LEN} bytes, not ${room}`);
  const len = view.getUint32(at + BLOCK_LEN, little);
  if (len < MIN_BLOCK_LEN || len > room || len % 4 !== 0) {
    throw new CaptureError(at, `wanted a block length of 12 to ${room}, the rest, in steps of 4, not ${len}`);
  }
  const trailer = view.getUint32(at + len - TRAILER_LEN, little);
  if (trailer !== len) {
    throw new CaptureError(
      at + len - TRAILER_LEN,
      `wanted block length ${len} as at the block's beginning, not ${trailer}`,
    );
  }
  return { view, little, at, len };
}

/** Throws unless the body of a block has at least `len` bytes. */
function needBody(block: Block, len: number): void {
  const bodyLen = block.len - MIN_BLOCK_LEN;
  if (bodyLen < len)
    throw new CaptureError(block.at, `wanted a block body of at least ${len} bytes, not ${bodyLen}`);
}

function checkSection(block: Block): void {
  needBody(block, 16);
  const major = block.view.getUint16(block.at + 12, block.little);
  if (major !== 1) throw new CaptureError(block.at + 12, `wanted pcapng version 1, not ${major}`);
}

//   8               10              12              16
//  +---------------+---------------+---------------+------------
//  | link type     | reserved      | snap length   | options
//  +---------------+---------------+---------------+------------
function readInterface(block: Block, index: number): Interface {
  needBody(block, 8);
  const { view, little, at } = block;
  assertEthernet(at + 8, view.getUint16(at + 8, little));
  let ticksPerSec = 1_000_000n;
  let offsetSec = 0n;
  const end = at + block.len - TRAILER_LEN;
  for (let option = at + 16; option < end; ) {
    if (end - option < 4)
      throw new CaptureError(option, `wanted an option of at least 4 bytes, not ${end - option}`);
    const code = view.getUint16(option, little);
    const len = view.getUint16(option + 2, little);
    if (code === Option.end) break;
    if (len > end - option - 4) {
      throw new CaptureError(option, `wanted an option of at most ${end - option - 4} bytes, not ${len}`);
    }
    if (code === Option.timeResolution) {
      needOption(option, len, 1);
      // The top bit tells powers of 2 from powers of 10; the rest is the negated exponent.
      const resolution = view.getUint8(option + 4);
      ticksPerSec = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    } else if (code === Option.timeOffset) {
      needOption(option, len, 8);
      offsetSec = view.getBigInt64(option + 4, little);
    }
    option += 4 + padded(len);
  }
  return { index, snapLen: view.getUint32(at + 12, little), ticksPerSec, offsetSec };
}

function needOption(at: number, len: number, wanted: number): void {
  if (len !== wanted) throw new CaptureError(at, `wanted an option of ${wanted} bytes, not ${len}`);
}

//   8               12              16              20              24              28
//  +---------------+---------------+---------------+---------------+---------------+---------
//  | interface     | time, upper   | time, lower   | captured len  | original len  | frame
//  +---------------+---------------+---------------+---------------+---------------+---------
function readEnhancedPacket(block: Block, interfaces: readonly Interface[]): CapturedFrame {
  needBody(block, 20);
  return timedFrame(block, interfaceAt(block, interfaces, block.view.getUint32(block.at + 8, block.little)));
}

/** Like an enhanced packet block, with a 16-bit interface and a 16-bit count of drops before the time. */
function readObsoletePacket(block: Block, interfaces: readonly Interface[]): CapturedFrame {
  needBody(block, 20);
  return timedFrame(block, interfaceAt(block, interfaces, block.view.getUint16(block.at + 8, block.little)));
}

function timedFrame(block: Block, from: Interface): CapturedFrame {
  const { view, little, at } = block;
  const upper = BigInt(view.getUint32(at + 12, little));
  const ticks = (upper << 32n) | BigInt(view.getUint32(at + 16, little));
  const len = view.getUint32(at + 20, little);
  needBody(block, 20 + padded(len));
  return {
    offset: at + 28,
    len,
    originalLen: view.getUint32(at + 24, little),
    wallTime: timeOf(ticks, from),
    interfaceIndex: from.index,
  };
}

//   8               12
//  +---------------+---------
//  | original len  | frame          of the section's first interface; the snap length says how much is there
//  +---------------+---------
function readSimplePacket(block: Block, interfaces: readonly Interface[]): CapturedFrame {
  needBody(block, 4);
  const from = interfaceAt(block, interfaces, 0);
  const originalLen = block.view.getUint32(block.at + 8, block.little);
  const len = from.snapLen === 0 ? originalLen : Math.min(originalLen, from.snapLen);
  needBody(block, 4 + padded(len));
  return { offset: block.at + 12, len, originalLen, wallTime: undefined, interfaceIndex: from.index };
}

function interfaceAt(block: Block, interfaces: readonly Interface[], index: number): Interface {
  const found = interfaces[index];
  if (found !== undefined) return found;
  throw new CaptureError(
    block.at,
    `wanted one of ${interfaces.length} interfaces described before, not ${index}`,
  );
}

function timeOf(ticks: bigint, from: Interface): CaptureTime {
  const { ticksPerSec, offsetSec } = from;
  const ns = ((ticks % ticksPerSec) * 1_000_000_000n) / ticksPerSec;
  return { sec: Number(ticks / ticksPerSec + offsetSec), ns: Number(ns) };
}

function padded(len: number): number {
  return Math.ceil(len / 4) * 4;
}
