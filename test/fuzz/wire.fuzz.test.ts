import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  anyPlan,
  type FramePlan,
  makeFrame,
  plainPlan,
  plainPlan6,
  slowChecksum,
} from '../../src/wire/frames.case.test.ts';
import {
  CaptureError,
  ChecksumMode,
  echoUdpFrame,
  FrameError,
  frameErrorNames,
  parseIp,
  parseUdpFrame,
  readCapture,
  UdpFrame,
  UdpFrameTemplate,
} from '../../src/wire/index.ts';
import { Random } from './random.ts';

// Mutated frames, random bytes and mutated captures for as long as the time box lasts. A failure names the seed; with
// BAREWIRE_SEED=<seed> the same inputs come first.

const TIME_BOX_MS = process.env.BAREWIRE_SOAK === '1' ? 120_000 : 2000;
const SEED = Number(process.env.BAREWIRE_SEED ?? Date.now() % 2 ** 31);

/** Calls `run` with one generator after another until the time box is over, and names the seed that fails. */
function fuzz(run: (random: Random) => void): number {
  const end = performance.now() + TIME_BOX_MS;
  let count = 0;
  for (; performance.now() < end; count++) {
    try {
      run(new Random(SEED + count));
    } catch (error) {
      throw new Error(`Failed with BAREWIRE_SEED=${SEED + count}`, { cause: error });
    }
  }
  return count;
}

/** Values that lengths, versions, protocols and tags turn on. */
const MAGIC = [
  0, 1, 2, 4, 5, 6, 7, 8, 0x11, 0x2b, 0x2c, 0x3c, 0x40, 0x44, 0x45, 0x4f, 0x60, 0x7f, 0x81, 0x86, 0x88, 0xa8,
  0xdd, 0xff,
];

function mutate(random: Random, source: Uint8Array): Uint8Array {
  let bytes = source.slice();
  for (let left = random.below(4); left > 0 && bytes.length > 0; left--) {
    const at = random.below(random.below(2) === 0 ? bytes.length : Math.min(bytes.length, 64));
    const kind = random.below(5);
    if (kind === 0) bytes[at]! ^= 1 << random.below(8);
    else if (kind === 1) bytes[at] = random.below(256);
    else if (kind === 2) bytes[at] = random.pick(MAGIC);
    else if (kind === 3) bytes = bytes.subarray(0, at);
    else bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
  }
  return bytes;
}

function randomBytes(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.below(200) }, () => random.below(256));
}

/** Makes the IPv4 header checksum right again, so that what comes after it is reached. */
function mendIpv4(bytes: Uint8Array): void {
  const l3 = 14;
  if (bytes.length < l3 + 20) return;
  const headerLen = Math.min((bytes[l3]! & 0xf) * 4, bytes.length - l3);
  bytes[l3 + 10] = bytes[l3 + 11] = 0;
  const checksum = slowChecksum([...bytes.subarray(l3, l3 + headerLen)]);
  bytes[l3 + 10] = checksum >>> 8;
  bytes[l3 + 11] = checksum & 0xff;
}

/** The outcomes of a received frame. */
const RECEIVING: readonly string[] = frameErrorNames.filter(
  (name) => name !== 'payloadTooLong' && name !== 'unanswerable',
);

/** Frames for the reasons that mutation alone seldom finds. */
function rareFrames(): Uint8Array[] {
  const tag = { protocol: 0x8100, tci: 1 } as const;
  const short = makeFrame(plainPlan6).bytes;
  short[19] = 7;
  const rare: FramePlan[] = [
    { ...plainPlan, vlans: [tag, tag, tag] },
    { ...plainPlan6, extensions: new Array(9).fill({ type: 60, units: 0 }) },
    { ...plainPlan6, withoutChecksum: true },
  ];
  return [short, ...rare.map((plan) => makeFrame(plan).bytes)];
}

const CANARY = 0xa5;
const CHUNK = 2048;
const HEADROOM = 7;

test('every frame is taken or refused for a reason, and nothing outside it is read or written', (t) => {
  t.diagnostic(`BAREWIRE_SEED=${SEED}`);
  // The same corpus every time: an input is its seed alone.
  const made = fc.sample(anyPlan, { seed: 1, numRuns: 300 }).map((plan) => makeFrame(plan).bytes);
  const corpus = [...made, ...rareFrames()];
  const chunk = new Uint8Array(CHUNK);
  const frame = new UdpFrame();
  const template = new UdpFrameTemplate();
  const answer = new DataView(new ArrayBuffer(CHUNK));
  const counters = new Uint32Array(frameErrorNames.length);

  const count = fuzz((random) => {
    const bytes = random.below(8) === 0 ? randomBytes(random) : mutate(random, random.pick(corpus));
    if (random.below(2) === 0) mendIpv4(bytes);
    chunk.fill(CANARY);
    chunk.set(bytes, HEADROOM);
    // The view ends with the frame: a read beyond it throws.
    const view = new DataView(chunk.buffer, 0, HEADROOM + bytes.length);
    const mode = random.pick(Object.values(ChecksumMode));
    const code = parseUdpFrame(view, HEADROOM, bytes.length, frame, mode);
    assert.ok(RECEIVING.includes(frameErrorNames[-code]!), `code ${code}`);
    counters[-code]! += 1;
    if (code !== 0) return;

    assert.ok(frame.offset === HEADROOM && frame.l3 >= HEADROOM + 14 && frame.l4 >= frame.l3 + 20);
    assert.ok(frame.payloadOffset + frame.payloadLen <= HEADROOM + frame.len && frame.len <= bytes.length);
    assert.equal(parseIp(frame.sourceAddress).length, frame.addressLen);
    assert.equal(parseIp(frame.destinationAddress).length, frame.addressLen);
    assert.ok(
      frame.sourcePort >= 0 && frame.destinationPort >= 0 && frame.vlanId < 4096 && frame.innerVlanId < 4096,
    );

    const replied = template.replyTo(frame);
    if (replied === 0) {
      const len = template.write(answer, 0, frame.payloadLen);
      assert.equal(parseUdpFrame(answer, 0, len, new UdpFrame()), 0);
    }
    const echoed = echoUdpFrame(frame);
    assert.equal(echoed, replied === 0 ? frame.len : FrameError.unanswerable);
    assert.equal(
      parseUdpFrame(view, HEADROOM, bytes.length, frame, mode),
      0,
      'an echo is as good as its request',
    );
    assert.ok(chunk.subarray(0, HEADROOM).every((byte) => byte === CANARY));
    assert.ok(chunk.subarray(HEADROOM + bytes.length).every((byte) => byte === CANARY));
    assert.deepEqual(
      chunk.subarray(HEADROOM + frame.len, HEADROOM + bytes.length),
      bytes.subarray(frame.len),
    );
  });

  const seen = frameErrorNames.filter((_, i) => counters[i]! > 0);
  t.diagnostic(`${count} frames: ${frameErrorNames.map((name, i) => `${name} ${counters[i]}`).join(', ')}`);
  assert.deepEqual(seen, RECEIVING, 'every reason occurred');
});

/** A pcap and a pcapng of one frame each. */
const CAPTURES = [
  'd4c3b2a1020004000000000000000000ffff000001000000' + '01000000020000000400000005000000' + 'deadbeef',
  '0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000' +
    '01000000200000000100000000000400' +
    '090001000900000000000000' +
    '20000000' +
    '0600000024000000000000000100000002000000040000000500000' +
    '0deadbeef24000000',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')));

test('every capture is read to its end or to a CaptureError inside it', (t) => {
  t.diagnostic(`BAREWIRE_SEED=${SEED}`);
  for (const capture of CAPTURES) assert.equal([...readCapture(capture)].length, 1);
  let failed = 0;
  let frames = 0;
  const count = fuzz((random) => {
    const bytes = mutate(random, random.pick(CAPTURES));
    try {
      for (const { offset, len, wallTime } of readCapture(bytes)) {
        assert.ok(offset + len <= bytes.length);
        assert.ok(wallTime === undefined || (wallTime.ns >= 0 && wallTime.ns < 1e9));
        frames++;
      }
    } catch (error) {
      assert.ok(error instanceof CaptureError, String(error));
      assert.ok(error.offset >= 0 && error.offset <= bytes.length);
      failed++;
    }
  });
  t.diagnostic(`${count} captures, ${failed} malformed, ${frames} frames`);
  assert.ok(failed > 0 && frames > 0);
});
