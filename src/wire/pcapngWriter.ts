//   0               4               8               12              16
//  +---------------+---------------+---------------+---------------+
//  | type 6        | block len     | interface 0   | time, upper   |
//  +---------------+---------------+---------------+---------------+---------------------+
//  | time, lower   | captured len  | original len  | frame, padded to 4 bytes  - - -     |
//  +---------------+---------------+---------------+------ - - - --+---------------------+
//  | option flags  | which way     | no more       | block len     |
//  +---------------+---------------+---------------+---------------+
const BlockType = { section: 0x0a0d0d0a, interface: 1, statistics: 5, enhancedPacket: 6 } as const;

const Option = {
  end: 0,
  application: 4,
  interfaceName: 2,
  timeResolution: 9,
  packetFlags: 2,
  framesReceived: 4,
  framesDropped: 5,
} as const;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** 10 to the power of -9 seconds */
const NANOSECONDS = 9;
/** The section goes on to the end of the file: its length is left open. */
const OPEN_END = 0xffff_ffff;

/** Where the frame begins in a packet block. [bytes] */
export const PCAPNG_FRAME_OFFSET = 28;

/** Flags, the end of options and the length once more. [bytes] */
const BEHIND_FRAME_LEN = 16;

/** Which way a captured frame went, as seen from the port; the value in the file. */
export const CaptureDirection = { inbound: 1, outbound: 2 } as const;

/** A value of {@link CaptureDirection}. */
export type CaptureDirection = (typeof CaptureDirection)[keyof typeof CaptureDirection];

/** What a pcapng file says about itself before the first frame. */
export interface PcapngHeaderSpec {
  /** what the frames were captured on: `xdp:eth0` */
  readonly interfaceName: string;
  /** longest capture of a frame; 0 for no limit [bytes] */
  readonly snapLen: number;
  /** who writes the file; default `barewire` */
  readonly application?: string;
}

/**
 * Returns what a pcapng file begins with: the section, and one interface of Ethernet with times in nanoseconds.
 *
 * @source draft-ietf-opsawg-pcapng §4.1, §4.2
 */
export function pcapngHeader(spec: PcapngHeaderSpec): Uint8Array<ArrayBuffer> {
  const section = new BlockBuilder(BlockType.section);
  section.u32(BYTE_ORDER_MAGIC).u16(1).u16(0).u32(OPEN_END).u32(OPEN_END);
  section.text(Option.application, spec.application ?? 'barewire').endOptions();
  const interfaces = new BlockBuilder(BlockType.interface);
  interfaces.u16(LINKTYPE_ETHERNET).u16(0).u32(spec.snapLen);
  interfaces.text(Option.interfaceName, spec.interfaceName);
  interfaces.option(Option.timeResolution, [NANOSECONDS]).endOptions();
  return Uint8Array.from([...section.end(), ...interfaces.end()]);
}

/**
 * Returns how long the packet block of a frame is.
 *
 * @param capturedLen - what the file gets of the frame [bytes]
 * @hot
 */
export function pcapngPacketLen(capturedLen: number): number {
  return (PCAPNG_FRAME_OFFSET + ((capturedLen + 3) & ~3) + BEHIND_FRAME_LEN) | 0;
}

/**
 * Writes a packet block around a frame, whose bytes the caller puts at `offset` + {@link PCAPNG_FRAME_OFFSET}.
 *
 * @param offset - where the block begins in `view`; {@link pcapngPacketLen} bytes are written
 * @param capturedLen - what the file gets of the frame [bytes]
 * @param originalLen - what was on the wire [bytes]
 * @param wallTime - nanoseconds since 1970-01-01 UTC, lower and upper half; an array, since no number holds them
 * @returns the block's length [bytes]
 * @hot
 * @source draft-ietf-opsawg-pcapng §4.3
 */
export function writePcapngPacket(
  view: DataView,
  offset: number,
  capturedLen: number,
  originalLen: number,
  wallTime: Uint32Array,
  direction: CaptureDirection,
): number {
  const len = pcapngPacketLen(capturedLen);
  view.setUint32(offset, BlockType.enhancedPacket, true);
  view.setUint32(offset + 4, len, true);
  view.setUint32(offset + 8, 0, true);
  view.setUint32(offset + 12, wallTime[1]!, true);
  view.setUint32(offset + 16, wallTime[0]!, true);
  view.setUint32(offset + 20, capturedLen, true);
  view.setUint32(offset + 24, originalLen, true);
  const behind = offset + len - BEHIND_FRAME_LEN;
  // The padding is in the last word of the frame, which the caller's bytes then fill as far as they go.
  if ((capturedLen & 3) !== 0) view.setUint32(behind - 4, 0, true);
  view.setUint32(behind, Option.packetFlags | (4 << 16), true);
  view.setUint32(behind + 4, direction, true);
  view.setUint32(behind + 8, Option.end, true);
  view.setUint32(behind + 12, len, true);
  return len;
}

/** What a pcapng file says about its frames behind the last of them. */
export interface PcapngStatistics {
  /** frames that passed, those included that the file has not [frames] */
  readonly received: number;
  /** frames that are not in the file, for want of room or time [frames] */
  readonly dropped: number;
  /** when this was counted: nanoseconds since 1970-01-01 UTC, lower and upper half */
  readonly wallTime: Uint32Array;
}

/**
 * Returns the block that tells, at the end of a file, whether it has all frames.
 *
 * @source draft-ietf-opsawg-pcapng §4.6
 */
export function pcapngStatistics({ received, dropped, wallTime }: PcapngStatistics): Uint8Array<ArrayBuffer> {
  const block = new BlockBuilder(BlockType.statistics);
  block.u32(0).u32(wallTime[1]!).u32(wallTime[0]!);
  block.counter(Option.framesReceived, received).counter(Option.framesDropped, dropped).endOptions();
  return Uint8Array.from(block.end());
}

/** A block that is made once, byte by byte; little-endian. */
class BlockBuilder {
  readonly #bytes: number[] = [];

  constructor(type: number) {
    this.u32(type).u32(0);
  }

  u16(value: number): this {
    this.#bytes.push(value & 0xff, value >>> 8);
    return this;
  }

  u32(value: number): this {
    return this.u16(value & 0xffff).u16(value >>> 16);
  }

  option(code: number, value: Iterable<number>): this {
    const bytes = [...value];
    this.u16(code).u16(bytes.length);
    this.#bytes.push(...bytes);
    while (this.#bytes.length % 4 !== 0) this.#bytes.push(0);
    return this;
  }

  text(code: number, value: string): this {
    return this.option(code, new TextEncoder().encode(value));
  }

  counter(code: number, value: number): this {
    return this.u16(code)
      .u16(8)
      .u32(value % 2 ** 32)
      .u32(Math.floor(value / 2 ** 32));
  }

  endOptions(): this {
    return this.u32(Option.end);
  }

  /** Puts the length where it belongs, twice. */
  end(): readonly number[] {
    const len = this.#bytes.length + 4;
    this.u32(len);
    this.#bytes.splice(4, 4, ...this.#bytes.slice(-4));
    return this.#bytes;
  }
}
