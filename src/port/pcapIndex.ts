import { readFileSync } from 'node:fs';
import { SystemError } from '../sys/index.ts';
import { type CaptureTime, readCapture } from '../wire/index.ts';

/** A capture in memory, and where its whole frames are, in their order. */
export interface PcapIndex {
  /** the file */
  readonly view: DataView;
  /** of each frame: where it begins in `view` [bytes] */
  readonly offset: Uint32Array;
  /** of each frame [bytes] */
  readonly len: Uint32Array;
  /** of each frame: how long after the first it was captured, never less than its predecessor [ns] */
  readonly dueNs: Float64Array;
  /** frames that the capture has a part of only, and that are left out [frames] */
  readonly truncated: number;
}

const FIRST_CAPACITY = 1024;

/**
 * Reads a pcap or pcapng file and notes where its frames are, so that hot code finds them without looking at the format.
 *
 * Read, not mapped: memory that is a file's ends the process when another one shortens the file.
 *
 * @throws SystemError when the file cannot be read
 * @throws RangeError when it is longer than 2 GiB - 1
 * @throws CaptureError with the offset of the first part that is malformed or not Ethernet
 */
export function readPcapIndex(path: string): PcapIndex {
  const bytes = readWhole(path);
  let offset = new Uint32Array(FIRST_CAPACITY);
  let len = new Uint32Array(FIRST_CAPACITY);
  let dueNs = new Float64Array(FIRST_CAPACITY);
  let count = 0;
  let truncated = 0;
  let first: CaptureTime | undefined;
  let lastNs = 0;
  for (const frame of readCapture(bytes)) {
    if (frame.len < frame.originalLen) {
      truncated++;
      continue;
    }
    if (count === offset.length) {
      offset = grown(offset, new Uint32Array(2 * count));
      len = grown(len, new Uint32Array(2 * count));
      dueNs = grown(dueNs, new Float64Array(2 * count));
    }
    const { wallTime } = frame;
    first ??= wallTime;
    // A frame without a time, or of a clock that was set back, follows its predecessor at once.
    if (first !== undefined && wallTime !== undefined) lastNs = Math.max(lastNs, nsBetween(first, wallTime));
    offset[count] = frame.offset;
    len[count] = frame.len;
    dueNs[count] = lastNs;
    count++;
  }
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    offset: offset.subarray(0, count),
    len: len.subarray(0, count),
    dueNs: dueNs.subarray(0, count),
    truncated,
  };
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function nsBetween(from: CaptureTime, to: CaptureTime): number {
  return (to.sec - from.sec) * 1e9 + (to.ns - from.ns);
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException;
    if (code === 'ERR_FS_FILE_TOO_LARGE') {
      throw new RangeError(`Cannot read capture ${path}: it must be at most 2147483647 bytes long`, {
        cause: error,
      });
    }
    if (errno === undefined || syscall === undefined) throw error;
    throw new SystemError('Cannot read capture', { syscall, errno: -errno, subject: path, cause: error });
  }
}
