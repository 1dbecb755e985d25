import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CapturedFrame, readCapture } from './capture.ts';
import { CaptureError } from './captureError.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 1000;

/** Bytes in one byte order. */
class Bytes {
  readonly all: number[] = [];
  readonly little: boolean;

  constructor(little: boolean) {
    this.little = little;
  }

  put(value: number, len: number): this {
    const bytes = Array.from({ length: len }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
    this.all.push(...(this.little ? bytes : bytes.reverse()));
    return this;
  }

  raw(bytes: readonly number[]): this {
    this.all.push(...bytes);
    return this;
  }
}

function pcap(little: boolean, { ns = false, network = 1, major = 2 } = {}): Bytes {
  const header = new Bytes(little)
    .put(ns ? 0xa1b23c4d : 0xa1b2c3d4, 4)
    .put(major, 2)
    .put(4, 2);
  return header.put(0, 8).put(65_535, 4).put(network, 4);
}

function record(
  file: Bytes,
  sec: number,
  fraction: number,
  frame: readonly number[],
  originalLen?: number,
): Bytes {
  return file
    .put(sec, 4)
    .put(fraction, 4)
    .put(frame.length, 4)
    .put(originalLen ?? frame.length, 4)
    .raw(frame);
}

function block(file: Bytes, type: number, body: readonly number[]): Bytes {
  const padding = new Array<number>((4 - (body.length % 4)) % 4).fill(0);
  const len = 12 + body.length + padding.length;
  return file.put(type, 4).put(len, 4).raw(body).raw(padding).put(len, 4);
}

function section(file: Bytes): Bytes {
  return block(
    file,
    0x0a0d0d0a,
    body(file)
      .put(0x1a2b3c4d, 4)
      .put(1, 2)
      .put(0, 2)
      .put(2 ** 32 - 1, 4)
      .put(2 ** 32 - 1, 4).all,
  );
}

function body(file: Bytes): Bytes {
  return new Bytes(file.little);
}

function interfaceBlock(file: Bytes, { options = [] as number[], linkType = 1, snapLen = 0 } = {}): Bytes {
  return block(file, 1, body(file).put(linkType, 2).put(0, 2).put(snapLen, 4).raw(options).all);
}

function option(file: Bytes, code: number, value: readonly number[]): number[] {
  const padding = new Array<number>((4 - (value.length % 4)) % 4).fill(0);
  return body(file).put(code, 2).put(value.length, 2).raw(value).raw(padding).all;
}

function enhanced(file: Bytes, index: number, upper: number, lower: number, frame: readonly number[]): Bytes {
  const head = body(file)
    .put(index, 4)
    .put(upper, 4)
    .put(lower, 4)
    .put(frame.length, 4)
    .put(frame.length + 1, 4);
  return block(file, 6, head.raw(frame).all);
}

function read(file: Bytes | readonly number[]): CapturedFrame[] {
  return [...readCapture(Uint8Array.from(file instanceof Bytes ? file.all : file))];
}

/** The error of a capture, and how many frames came before it. */
function failure(file: Bytes | readonly number[]): { offset: number; message: string; frames: number } {
  let frames = 0;
  try {
    for (const _ of readCapture(Uint8Array.from(file instanceof Bytes ? file.all : file))) frames++;
  } catch (error) {
    assert.ok(error instanceof CaptureError, String(error));
    assert.ok(
      error.message.startsWith(`Cannot read capture at byte ${error.offset}: wanted `),
      error.message,
    );
    return { offset: error.offset, message: error.message, frames };
  }
  throw new Error('The capture was read without an error');
}

test('readCapture() reads pcap in both byte orders and both resolutions', () => {
  for (const little of [true, false]) {
    for (const ns of [true, false]) {
      const file = pcap(little, { ns });
      record(file, 0xffff_ffff, ns ? 999_999_999 : 999_999, [1, 2, 3]);
      record(file, 7, 8, [], 1500);
      assert.deepEqual(read(file), [
        {
          offset: 40,
          len: 3,
          originalLen: 3,
          wallTime: { sec: 0xffff_ffff, ns: ns ? 999_999_999 : 999_999_000 },
          interfaceIndex: 0,
        },
        { offset: 59, len: 0, originalLen: 1500, wallTime: { sec: 7, ns: ns ? 8 : 8000 }, interfaceIndex: 0 },
      ]);
    }
  }
});

test('readCapture() carries a fraction of more than a second', () => {
  const [frame] = read(record(pcap(true), 5, 3_000_001, [0]));
  assert.deepEqual(frame!.wallTime, { sec: 8, ns: 1000 });
});

test('readCapture() reads a pcap without frames, and one whose frames have a check sequence', () => {
  assert.deepEqual(read(pcap(true)), []);
  assert.equal(read(record(pcap(true, { network: 0x2400_0001 }), 0, 0, [1])).length, 1);
});

test('readCapture() names the byte from which on a pcap is malformed', () => {
  assert.match(failure([]).message, /at byte 0: wanted a pcap or pcapng file, not 0 bytes/);
  assert.match(failure([0xde, 0xad, 0xbe, 0xef]).message, /at byte 0: .* not deadbeef/);
  assert.match(failure(pcap(true).all.slice(0, 23)).message, /at byte 0: .* 24 bytes, not 23/);
  assert.match(failure(pcap(true, { major: 3 })).message, /at byte 4: wanted pcap version 2, not 3/);
  assert.match(
    failure(pcap(true, { network: 113 })).message,
    /at byte 20: wanted link type 1 \(Ethernet\), not 113/,
  );
  const file = record(record(pcap(false), 0, 0, [1, 2]), 0, 0, [3, 4]).all;
  assert.deepEqual(failure([...file, 0]), { offset: 60, frames: 2, message: failure([...file, 0]).message });
  const cut = failure(file.slice(0, -1));
  assert.equal(cut.offset, 42);
  assert.equal(cut.frames, 1, 'the frame before the cut was yielded');
  assert.match(cut.message, /a frame of at most 1 bytes, the rest, not 2/);
});

test('readCapture() reads pcapng: interfaces, resolutions, sections of either byte order, unknown blocks', () => {
  const file = section(new Bytes(true));
  interfaceBlock(file);
  interfaceBlock(file, {
    options: [...option(file, 2, [0x65]), ...option(file, 9, [9]), ...option(file, 0, []), 9, 0, 1],
  });
  interfaceBlock(file, {
    options: [
      ...option(file, 9, [0x80 | 10]),
      ...option(file, 14, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ],
  });
  block(file, 0xbad, [1, 2, 3]);
  enhanced(file, 0, 1, 2, [1, 2, 3]);
  enhanced(file, 1, 0x1722_1d65, 0x5a0b_1234, [4]);
  enhanced(file, 2, 0, 1024 + 512, [5]);
  const big = section(new Bytes(false));
  interfaceBlock(big);
  enhanced(big, 0, 0, 1_500_000, [6, 7]);
  const frames = read([...file.all, ...big.all]);
  const ticks = 0x1722_1d65_5a0b_1234n;
  assert.deepEqual(
    frames.map(({ wallTime, interfaceIndex, len, originalLen }) => ({
      ...wallTime,
      interfaceIndex,
      len,
      originalLen,
    })),
    [
      { sec: 4294, ns: 967_298_000, interfaceIndex: 0, len: 3, originalLen: 4 },
      {
        sec: Number(ticks / 10n ** 9n),
        ns: Number(ticks % 10n ** 9n),
        interfaceIndex: 1,
        len: 1,
        originalLen: 2,
      },
      { sec: 0, ns: 500_000_000, interfaceIndex: 2, len: 1, originalLen: 2 },
      { sec: 1, ns: 500_000_000, interfaceIndex: 3, len: 2, originalLen: 3 },
    ],
  );
  const bytes = [...file.all, ...big.all];
  assert.deepEqual(
    frames.map(({ offset }) => bytes[offset]),
    [1, 4, 5, 6],
  );
});

test('readCapture() reads simple packet blocks up to the snap length, and the obsolete packet block', () => {
  const file = interfaceBlock(section(new Bytes(true)), { snapLen: 4 });
  block(file, 3, body(file).put(9, 4).raw([1, 2, 3, 4]).all);
  block(
    file,
    2,
    body(file).put(0, 2).put(7, 2).put(0, 4).put(1_000_001, 4).put(2, 4).put(60, 4).raw([5, 6]).all,
  );
  const [simple, obsolete] = read(file);
  assert.deepEqual([simple!.len, simple!.originalLen, simple!.wallTime], [4, 9, undefined]);
  assert.deepEqual([obsolete!.len, obsolete!.originalLen, obsolete!.wallTime], [2, 60, { sec: 1, ns: 1000 }]);
});

test('readCapture() names the byte from which on a pcapng is malformed', () => {
  const start = (): Bytes => interfaceBlock(section(new Bytes(true)));
  const at = start().all.length;
  assert.equal(at, 48);
  assert.match(
    failure(interfaceBlock(section(new Bytes(true)), { linkType: 276 })).message,
    /at byte 36: wanted link type 1 \(Ethernet\), not 276/,
  );
  assert.match(
    failure([0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 1, 2, 3, 4]).message,
    /at byte 8: .* not 01020304/,
  );
  assert.match(failure([0x0a, 0x0d, 0x0d, 0x0a]).message, /at byte 0: .* at least 12 bytes, not 4/);
  assert.match(failure(block(start(), 6, [])).message, /at byte 48: .* body of at least 20 bytes, not 0/);
  assert.match(
    failure(enhanced(start(), 1, 0, 0, [])).message,
    /at byte 48: wanted one of 1 interfaces described before, not 1/,
  );
  assert.match(
    failure(enhanced(section(new Bytes(true)), 0, 0, 0, [])).message,
    /at byte 28: wanted one of 0 interfaces/,
  );
  const lie = body(start()).put(0, 12).put(9, 4).put(9, 4).raw([1, 2, 3, 4]).all;
  assert.match(failure(block(start(), 6, lie)).message, /at byte 48: .* at least 32 bytes, not 24/);
  const cut = enhanced(start(), 0, 0, 0, [1, 2, 3, 4]).all;
  assert.match(failure(cut.slice(0, -4)).message, /at byte 48: wanted a block length of 12 to 32, the rest/);
  for (const len of [0, 8, 34]) assert.equal(failure(start().put(6, 4).put(len, 4).put(0, 40)).offset, 48);
  cut[cut.length - 1] = 1;
  assert.equal(failure(cut).offset, cut.length - 4);
  const version = section(new Bytes(true)).all;
  version[12] = 2;
  assert.match(failure(version).message, /at byte 12: wanted pcapng version 1, not 2/);
  const options = (bytes: number[]): number =>
    failure(interfaceBlock(section(new Bytes(true)), { options: bytes })).offset;
  assert.equal(options([9, 0, 9, 0]), 44, 'an option beyond its block');
  assert.equal(options([9, 0, 2, 0, 6, 6, 0, 0]), 44, 'a resolution of two bytes');
  assert.equal(options([14, 0, 4, 0, 0, 0, 0, 0]), 44, 'an offset of four bytes');
});

test('readCapture() yields frames inside the capture or throws a CaptureError, whatever the bytes', () => {
  const ng = section(new Bytes(true));
  interfaceBlock(ng, { options: option(ng, 9, [9]) });
  enhanced(enhanced(ng, 0, 1, 2, [1, 2, 3, 4, 5]), 0, 1, 3, [6]);
  const seeds = [ng.all, record(record(pcap(false), 1, 2, [1, 2, 3]), 3, 4, [5]).all];
  const damage = fc.array(fc.tuple(fc.nat({ max: 160 }), fc.nat({ max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), damage, fc.nat({ max: 200 }), (seed, changes, len) => {
      const bytes = Uint8Array.from(seed);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const capture = bytes.subarray(0, len);
      try {
        for (const frame of readCapture(capture)) assert.ok(frame.offset + frame.len <= capture.length);
      } catch (error) {
        assert.ok(error instanceof CaptureError, String(error));
        assert.ok(error.offset >= 0 && error.offset <= capture.length);
      }
    }),
    { numRuns: NUM_RUNS },
  );
});
