import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChecksumMode } from './checksum.ts';
import { EthernetHeader, EtherType } from './ethernet.ts';
import { FrameError, type FrameErrorName, frameErrorNames } from './frameError.ts';
import {
  anyDamage,
  anyPlan,
  type FramePlan,
  makeFrame,
  placed,
  plainPlan,
  plainPlan6,
} from './frames.case.test.ts';
import { formatIp } from './ipAddress.ts';
import { IpProtocol } from './ipProtocol.ts';
import { Ipv4Header } from './ipv4.ts';
import { Ipv6Header } from './ipv6.ts';
import { UdpHeader } from './udp.ts';
import { parseUdpFrame, UdpFrame } from './udpFrame.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 50_000 : 1000;
const MODES = Object.values(ChecksumMode);

/** What parseUdpFrame() says of a made frame after `change`, over all of its bytes or the first `len`. */
function parse(
  plan: FramePlan,
  change: (view: DataView) => void = () => {},
  mode: ChecksumMode = ChecksumMode.verify,
  len?: number,
): number {
  const { bytes } = makeFrame(plan);
  const view = new DataView(bytes.buffer);
  change(view);
  return parseUdpFrame(view, 0, len ?? bytes.length, new UdpFrame(), mode);
}

test('parseUdpFrame() finds every part of every well-formed frame, wherever it lies', () => {
  const frame = new UdpFrame();
  fc.assert(
    fc.property(anyPlan, fc.nat({ max: 9 }), (plan, offset) => {
      const made = makeFrame(plan);
      const view = placed(made.bytes, offset);
      assert.equal(parseUdpFrame(view, offset, made.bytes.length, frame), 0);
      assert.equal(frame.offset, offset);
      assert.equal(frame.len, made.packetEnd);
      assert.equal(frame.l3, offset + made.l3);
      assert.equal(frame.l4, offset + made.l4);
      assert.equal(frame.payloadOffset, offset + made.l4 + 8);
      assert.equal(frame.payloadLen, plan.payload.length);
      assert.equal(frame.ipVersion, plan.source.length === 4 ? 4 : 6);
      assert.equal(frame.sourceAddress, formatIp(Uint8Array.from(plan.source)));
      assert.equal(frame.destinationAddress, formatIp(Uint8Array.from(plan.destination)));
      assert.equal(frame.sourcePort, plan.sourcePort);
      assert.equal(frame.destinationPort, plan.destinationPort);
      assert.equal(frame.vlanCount, plan.vlans.length);
      assert.equal(frame.vlanId, plan.vlans[0] === undefined ? -1 : plan.vlans[0].tci & 0xfff);
      assert.equal(frame.innerVlanId, plan.vlans[1] === undefined ? -1 : plan.vlans[1].tci & 0xfff);
    }),
    { numRuns: NUM_RUNS },
  );
});

/** The same judgement from the flyweights of the single headers. */
function headerByHeader(view: DataView, offset: number, len: number, mode: ChecksumMode): object {
  const ethernet = new EthernetHeader();
  const code = ethernet.check(view, offset, len);
  if (code !== 0) return { code };
  const l3 = offset + ethernet.headerLen;
  const isIpv4 = ethernet.etherType === EtherType.ipv4;
  if (!isIpv4 && ethernet.etherType !== EtherType.ipv6) return { code: FrameError.notIp };
  const ip = isIpv4 ? new Ipv4Header() : new Ipv6Header();
  const ipCode = ip.check(view, l3, len - ethernet.headerLen, mode !== ChecksumMode.ignore);
  if (ipCode !== 0) return { code: ipCode };
  if (ip.isFragment) return { code: isIpv4 ? FrameError.ipv4Fragment : FrameError.ipv6Fragment };
  if (ip.protocol !== IpProtocol.udp) return { code: FrameError.notUdp };
  const udp = new UdpHeader();
  const udpCode = udp.check(view, l3 + ip.headerLen, ip.totalLen - ip.headerLen);
  if (udpCode !== 0) return { code: udpCode };
  if (mode !== ChecksumMode.ignore && udp.checksum === 0 && !isIpv4)
    return { code: FrameError.udpNoChecksum };
  const isValid = udp.checksum === 0 || udp.isChecksumValid(ip.pseudoSum(IpProtocol.udp, udp.len));
  if (mode === ChecksumMode.verify && !isValid) return { code: FrameError.udpBadChecksum };
  return {
    code: 0,
    len: ethernet.headerLen + ip.totalLen,
    l3,
    l4: udp.offset,
    payloadLen: udp.len - 8,
    ipVersion: isIpv4 ? 4 : 6,
  };
}

test('parseUdpFrame() judges damaged frames as the headers do, one by one', () => {
  const frame = new UdpFrame();
  fc.assert(
    fc.property(
      anyPlan,
      anyDamage,
      fc.nat({ max: 40 }),
      fc.constantFrom(...MODES),
      (plan, damage, cut, mode) => {
        const { bytes } = makeFrame(plan);
        for (const { at, value } of damage) if (at < bytes.length) bytes[at] = value;
        // Most cuts are none: what a frame loses at its end is seldom more than padding.
        const len = Math.max(0, bytes.length - Math.max(0, cut - 30));
        const view = placed(bytes.subarray(0, len), 1);
        const code = parseUdpFrame(view, 1, len, frame, mode);
        const { len: end, l3, l4, payloadLen, ipVersion } = frame;
        const actual = code === 0 ? { code, len: end, l3, l4, payloadLen, ipVersion } : { code };
        assert.deepEqual(actual, headerByHeader(view, 1, len, mode));
      },
    ),
    { numRuns: 5 * NUM_RUNS },
  );
});

test('parseUdpFrame() reads no byte outside the frame', () => {
  const frame = new UdpFrame();
  fc.assert(
    fc.property(anyPlan, anyDamage, fc.nat({ max: 150 }), (plan, damage, cut) => {
      const { bytes } = makeFrame(plan);
      for (const { at, value } of damage) if (at < bytes.length) bytes[at] = value;
      // The view ends where the frame does, so that one byte further throws.
      const len = Math.min(cut, bytes.length);
      const code = parseUdpFrame(new DataView(bytes.buffer, 0, len), 0, len, frame);
      if (code !== 0) return;
      assert.ok(frame.payloadOffset + frame.payloadLen <= frame.len && frame.len <= len);
    }),
    { numRuns: NUM_RUNS },
  );
});

/** A frame, and what is wrong with it: bytes put in a place, the length cut. */
interface Broken {
  readonly plan: FramePlan;
  readonly at?: number;
  readonly put?: readonly number[];
  readonly len?: number;
  readonly mode?: ChecksumMode;
}

const tagged: FramePlan = {
  ...plainPlan,
  vlans: [
    { protocol: 0x88a8, tci: 1 },
    { protocol: 0x8100, tci: 2 },
  ],
};
const extended = (type: number, units: number, count = 1): FramePlan => ({
  ...plainPlan6,
  extensions: Array.from({ length: count }, () => ({ type, units })),
});
const { ignore } = ChecksumMode;

const reasons: readonly (readonly [FrameErrorName, Broken])[] = [
  ['ethernetTruncated', { plan: plainPlan, len: 13 }],
  ['vlanTruncated', { plan: tagged, len: 21 }],
  ['tooManyVlanTags', { plan: tagged, at: 20, put: [0x81, 0x00] }],
  ['notIp', { plan: plainPlan, at: 12, put: [0x08, 0x06] }],
  ['ipv4Truncated', { plan: plainPlan, len: 51 }],
  ['ipv4BadVersion', { plan: plainPlan, at: 14, put: [0x55] }],
  ['ipv4BadHeaderLen', { plan: plainPlan, at: 14, put: [0x44] }],
  ['ipv4BadTotalLen', { plan: plainPlan, at: 16, put: [0, 19] }],
  ['ipv4BadChecksum', { plan: plainPlan, at: 22, put: [63] }],
  ['ipv4Fragment', { plan: { ...plainPlan, fragment: { offset: 0, more: true } } }],
  ['ipv4Fragment', { plan: { ...plainPlan, fragment: { offset: 1, more: false } } }],
  ['ipv6Truncated', { plan: plainPlan6, len: 53 }],
  ['ipv6Truncated', { plan: plainPlan6, len: 71 }],
  ['ipv6BadVersion', { plan: plainPlan6, at: 14, put: [0x40] }],
  ['ipv6BadExtension', { plan: plainPlan6, at: 20, put: [60] }],
  ['ipv6TooManyExtensions', { plan: extended(60, 0, 9) }],
  ['ipv6NotArrived', { plan: extended(43, 2), at: 57, put: [1] }],
  ['ipv6Fragment', { plan: { ...extended(44, 0), fragment: { offset: 0, more: true } } }],
  ['notUdp', { plan: plainPlan, at: 23, put: [6], mode: ignore }],
  ['notUdp', { plan: plainPlan6, at: 20, put: [58] }],
  ['udpTruncated', { plan: plainPlan, at: 16, put: [0, 27], mode: ignore }],
  ['udpTruncated', { plan: plainPlan6, at: 18, put: [0, 7] }],
  ['udpBadLen', { plan: plainPlan, at: 38, put: [0, 7], mode: ignore }],
  ['udpBadLen', { plan: plainPlan, at: 38, put: [0, 19], mode: ignore }],
  ['udpBadLen', { plan: plainPlan6, at: 58, put: [0, 0] }],
  ['udpBadChecksum', { plan: plainPlan, at: 51, put: [0] }],
  ['udpBadChecksum', { plan: plainPlan6, at: 71, put: [0] }],
  ['udpNoChecksum', { plan: { ...plainPlan6, withoutChecksum: true } }],
];

test('parseUdpFrame() names each reason', () => {
  for (const [reason, { plan, at = 0, put = [], len, mode }] of reasons) {
    const change = (view: DataView): void => new Uint8Array(view.buffer).set(put, at);
    assert.equal(frameErrorNames[-parse(plan, change, mode, len)], reason);
  }
});

test('parseUdpFrame() verifies what its mode says, and verifies everything by default', () => {
  const badUdp = (view: DataView): void => view.setUint8(51, 0);
  const badIpv4 = (view: DataView): void => view.setUint8(22, 63);
  assert.equal(parse(plainPlan, badUdp, ChecksumMode.verified), 0);
  assert.equal(parse(plainPlan, badIpv4, ChecksumMode.verified), FrameError.ipv4BadChecksum);
  assert.equal(parse(plainPlan, badIpv4, ChecksumMode.ignore), 0);
  assert.equal(
    parse(plainPlan6, (view) => view.setUint16(60, 0), ChecksumMode.verified),
    FrameError.udpNoChecksum,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint16(60, 0), ChecksumMode.ignore),
    0,
  );
  const { bytes } = makeFrame(plainPlan);
  bytes[51] = 0;
  assert.equal(parseUdpFrame(new DataView(bytes.buffer), 0, 52, new UdpFrame()), FrameError.udpBadChecksum);
});

test('parseUdpFrame() takes IPv4 datagrams without a checksum', () => {
  assert.equal(parse({ ...plainPlan, withoutChecksum: true }), 0);
});

test('parseUdpFrame() takes an empty payload and the longest one', () => {
  for (const plan of [plainPlan, plainPlan6]) {
    assert.equal(parse({ ...plan, payload: [] }), 0);
    assert.equal(parse({ ...plan, payload: new Array<number>(65_507).fill(0xff) }), 0);
  }
});
