import type { CapturedFrame } from './capture.ts';
import { assertEthernet, CaptureError } from './captureError.ts';

//   0               4       6       8                       16      20      24
//  +---------------+-------+-------+-----------------------+-------+-------+
//  | magic         | major | minor | reserved              |snaplen|network|     once
//  +---------------+-------+-------+-----------------------+-------+-------+
//
//   0               4               8               12              16
//  +---------------+---------------+---------------+---------------+---------
//  | seconds       | us or ns      | captured len  | original len  | frame       for every frame
//  +---------------+---------------+---------------+---------------+---------
const MAJOR = 4;
const NETWORK = 20;
const FILE_HEADER_LEN = 24;
const FRACTION = 4;
const CAPTURED_LEN = 8;
const ORIGINAL_LEN = 12;
const RECORD_HEADER_LEN = 16;

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;

/**
 * Yields the frames of a pcap file, in either byte order and with either time resolution.
 *
 * @throws CaptureError - on the way, at the first part that is malformed or not Ethernet
 * @source draft-ietf-opsawg-pcap §4, §5
 */
export function* readPcap(view: DataView): Generator<CapturedFrame, void, undefined> {
  const little = isLittleEndian(view);
  if (view.byteLength < FILE_HEADER_LEN) {
    throw new CaptureError(0, `wanted a file header of ${FILE_HEADER_LEN} bytes, not ${view.byteLength}`);
  }
  const fractionNs = view.getUint32(0, little) === NANOSECONDS ? 1 : 1000;
  const major = view.getUint16(MAJOR, little);
  if (major !== 2) throw new CaptureError(MAJOR, `wanted pcap version 2, not ${major}`);
  // The upper half says how long the frame check sequence is, if one was captured.
  assertEthernet(NETWORK, view.getUint32(NETWORK, little) & 0xffff);

  for (let at = FILE_HEADER_LEN; at < view.byteLength; ) {
    const room = view.byteLength - at - RECORD_HEADER_LEN;
    if (room < 0) {
      throw new CaptureError(
        at,
        `wanted a record header of ${RECORD_HEADER_LEN} bytes, not ${view.byteLength - at}`,
      );
    }
    const len = view.getUint32(at + CAPTURED_LEN, little);
    if (len > room)
      throw new CaptureError(at, `wanted a frame of at most ${room} bytes, the rest, not ${len}`);
    // A fraction of a second or more occurs in captures of broken clocks; it is carried.
    const fraction = view.getUint32(at + FRACTION, little) * fractionNs;
    yield {
      offset: at + RECORD_HEADER_LEN,
      len,
      originalLen: view.getUint32(at + ORIGINAL_LEN, little),
      wallTime: { sec: view.getUint32(at, little) + Math.floor(fraction / 1e9), ns: fraction % 1e9 },
      interfaceIndex: 0,
    };
    at += RECORD_HEADER_LEN + len;
  }
}

function isLittleEndian(view: DataView): boolean {
  for (const little of [true, false]) {
    const magic = view.getUint32(0, little);
    if (magic === MICROSECONDS || magic === NANOSECONDS) return little;
  }
  const magic = view.getUint32(0).toString(16).padStart(8, '0');
  throw new CaptureError(0, `wanted the magic of pcap or pcapng, not ${magic}`);
}
