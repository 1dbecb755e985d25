import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyDamage, anyPlan, type FramePlan, makeFrame } from '../../src/wire/frames.case.test.ts';
import {
  type CapturedFrame,
  CaptureError,
  EtherType,
  frameErrorNames,
  parseUdpFrame,
  readCapture,
  UdpFrame,
} from '../../src/wire/index.ts';
import { requireSharedData, requireTool } from '../support/requirements.ts';
import { expectedOutcome } from './expectedOutcome.ts';
import { countWithTshark, readWithTshark, type TsharkFrame } from './tshark.ts';

// Our readers and tshark over the same captures: those made to break parsers, and frames of our own.

const NUM_FRAMES = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 3000;

const ETHERNET = '1';

/** What we say of a datagram, in tshark's words. */
function ourWords(frame: UdpFrame): Partial<TsharkFrame> {
  const ip =
    frame.ipVersion === 4
      ? {
          'ip.src': frame.sourceAddress,
          'ip.dst': frame.destinationAddress,
          'ip.hdr_len': `${frame.l4 - frame.l3}`,
        }
      : { 'ipv6.src': frame.sourceAddress, 'ipv6.dst': frame.destinationAddress };
  const bytes = Buffer.from(frame.view.buffer, frame.view.byteOffset, frame.view.byteLength);
  return {
    ...ip,
    ...vlanWords(frame),
    'udp.srcport': `${frame.sourcePort}`,
    'udp.dstport': `${frame.destinationPort}`,
    'udp.length': `${frame.payloadLen + 8}`,
    'udp.payload': bytes.toString('hex', frame.payloadOffset, frame.payloadOffset + frame.payloadLen),
  };
}

/** The outer tag; tshark has a name for each tag protocol, and one more for the outer of two 802.1ad tags. */
function vlanWords(frame: UdpFrame): Partial<TsharkFrame> {
  if (frame.vlanCount === 0) return { 'vlan.id': '', 'ieee8021ad.id': '', 'ieee8021ad.svid': '' };
  const protocol = (at: number): number => frame.view.getUint16(frame.offset + at);
  const isService = protocol(12) === EtherType.serviceVlan;
  const isOuter = isService && frame.vlanCount === 2 && protocol(16) === EtherType.serviceVlan;
  return { [isOuter ? 'ieee8021ad.svid' : isService ? 'ieee8021ad.id' : 'vlan.id']: `${frame.vlanId}` };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Our frames of a capture, and the error that ended it. */
function readOurs(bytes: Uint8Array): { frames: CapturedFrame[]; error: CaptureError | undefined } {
  const frames: CapturedFrame[] = [];
  try {
    for (const frame of readCapture(bytes)) frames.push(frame);
  } catch (error) {
    assert.ok(error instanceof CaptureError, String(error));
    return { frames, error };
  }
  return { frames, error: undefined };
}

test('readCapture() and parseUdpFrame() agree with tshark over captures made to break parsers', async (t) => {
  const tshark = requireTool(t, 'tshark');
  const data = requireSharedData(t);
  if (tshark === undefined || data === undefined) return;
  const folder = join(data, 'pcap');
  const files = (await readdir(folder)).sort().map((name) => join(folder, name));
  const theirs = await readWithTshark(tshark, files);
  assert.equal(theirs.length, files.length);

  const outcomes = new Map<string, number>();
  for (const [i, file] of files.entries()) {
    const bytes = await readFile(file);
    const { frames, error } = readOurs(bytes);
    if (error === undefined) {
      compare(basename(file), bytes, frames, theirs[i]!, outcomes);
    } else {
      assert.match(error.message, /wanted link type 1 \(Ethernet\)/, file);
      assert.ok(
        theirs[i]!.some((each) => each['frame.encap_type'] !== ETHERNET),
        file,
      );
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries([...outcomes].sort())));
  assert.ok(outcomes.get('accepted')! > 400, 'the captures hold UDP');
});

/** Compares a capture frame by frame and counts the outcomes. */
function compare(
  name: string,
  bytes: Uint8Array,
  ours: readonly CapturedFrame[],
  theirs: readonly TsharkFrame[],
  outcomes: Map<string, number>,
): void {
  assert.equal(ours.length, theirs.length, name);
  const frame = new UdpFrame();
  for (const [i, captured] of ours.entries()) {
    const { offset, len } = captured;
    const where = `${name}, frame ${i + 1}: ${Buffer.from(bytes).toString('hex', offset, offset + len)}`;
    const expected = theirs[i]!;
    assert.deepEqual(captureWords(captured), pick(expected, captureWords(captured)), where);
    const code = parseUdpFrame(viewOf(bytes), offset, len, frame);
    const outcome = frameErrorNames[-code]!;
    assert.equal(outcome, expectedOutcome(expected), where);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (code !== 0) continue;
    const payload = expected['udp.payload'].slice(0, 2 * frame.payloadLen);
    assert.deepEqual(ourWords(frame), pick({ ...expected, 'udp.payload': payload }, ourWords(frame)), where);
  }
}

function captureWords({ len, originalLen, wallTime }: CapturedFrame): Partial<TsharkFrame> {
  const time = wallTime === undefined ? '' : `${wallTime.sec}.${`${wallTime.ns}`.padStart(9, '0')}`;
  return { 'frame.time_epoch': time, 'frame.cap_len': `${len}`, 'frame.len': `${originalLen}` };
}

function pick(frame: TsharkFrame, like: Partial<TsharkFrame>): Partial<TsharkFrame> {
  const keys = Object.keys(like) as (keyof TsharkFrame)[];
  return Object.fromEntries(keys.map((key) => [key, frame[key]]));
}

/** A pcap file of these frames. */
function pcapOf(frames: readonly Uint8Array[]): Uint8Array {
  const header = (words: readonly number[]): Buffer => Buffer.from(Uint32Array.from(words).buffer);
  const records = frames.flatMap((frame) => [header([1, 2, frame.length, frame.length]), frame]);
  return Buffer.concat([header([0xa1b2c3d4, 0x0004_0002, 0, 0, 65_535, 1]), ...records]);
}

const oneInTen = <T>(usual: T, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, arbitrary);

const anyFragment = oneInTen(
  { offset: 0, more: false },
  fc.record({ offset: fc.nat({ max: 0x1fff }), more: fc.boolean() }),
);

const anyCut = oneInTen(0, fc.nat({ max: 40 }));

/**
 * A frame with some bytes changed and others cut off its end. Options are no-operations, extension headers stay whole,
 * and so does what leads to them: tshark judges their contents, which we step over.
 */
function damaged(plan: FramePlan, damage: readonly { at: number; value: number }[], cut: number): Uint8Array {
  const { bytes, l3, l4 } = makeFrame({ ...plan, options: plan.options.map(() => 1) });
  const isIpv6 = plan.source.length === 16;
  const first = plan.options.length + plan.extensions.length > 0 ? l4 : 0;
  for (const { at, value } of damage) {
    const isNextHeader = isIpv6 && at === l3 + 6;
    if (at >= first && at < bytes.length && !isNextHeader) bytes[at] = value;
  }
  return bytes.subarray(0, Math.max(l4, bytes.length - cut));
}

test('parseUdpFrame() agrees with tshark over frames made by hand and damaged at random', async (t) => {
  const tshark = requireTool(t, 'tshark');
  if (tshark === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'barewire-captures-'));
  t.after(() => rm(folder, { recursive: true }));
  const seed = Number(process.env.BAREWIRE_SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`BAREWIRE_SEED=${seed}`);
  const frames = fc
    .sample(fc.tuple(anyPlan, anyFragment, oneInTen(false, fc.constant(true)), anyDamage, anyCut), {
      seed,
      numRuns: NUM_FRAMES,
    })
    .map(([plan, fragment, withoutChecksum, damage, cut]) =>
      damaged({ ...plan, fragment, withoutChecksum }, damage, cut),
    );
  const file = join(folder, 'made.pcap');
  await writeFile(file, pcapOf(frames));
  const [theirs] = await readWithTshark(tshark, [file]);
  const bytes = await readFile(file);
  const outcomes = new Map<string, number>();
  compare('made.pcap', bytes, readOurs(bytes).frames, theirs!, outcomes);
  t.diagnostic(JSON.stringify(Object.fromEntries([...outcomes].sort())));
});

test('readCapture() finds as many frames as tshark in captures that are cut off or damaged', async (t) => {
  const tshark = requireTool(t, 'tshark');
  const data = requireSharedData(t);
  if (tshark === undefined || data === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'barewire-captures-'));
  t.after(() => rm(folder, { recursive: true }));
  const cases: { name: string; bytes: Uint8Array }[] = [];
  for (const name of ['dns-uri.pcap', 'of10_7050q.pcapng']) {
    const bytes = await readFile(join(data, 'pcap', name));
    const { frames } = readOurs(bytes);
    const { offset, len } = frames[3]!;
    const cut = (end: number): void =>
      void cases.push({ name: `${name} cut at ${end}`, bytes: bytes.subarray(0, end) });
    for (const end of [offset + len - 1, offset, offset - 3]) cut(end);
    const damage = (at: number): void => {
      const damaged = Uint8Array.from(bytes);
      damaged.fill(0xee, at, at + 4);
      cases.push({ name: `${name} damaged at ${at}`, bytes: damaged });
    };
    // The captured length of a frame, and the magic of the file.
    damage(offset - 8);
    damage(0);
  }
  for (const { name, bytes } of cases) {
    const file = join(folder, 'capture');
    await writeFile(file, bytes);
    const theirs = await countWithTshark(tshark, file);
    const ours = readOurs(bytes);
    assert.ok(ours.error !== undefined && ours.error.offset <= bytes.length, name);
    assert.deepEqual({ frames: ours.frames.length, ok: false }, theirs, name);
  }
});
