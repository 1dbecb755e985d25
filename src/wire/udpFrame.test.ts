import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChecksumMode } from './checksum.ts';
import { EthernetHeader, EtherType } from './ethernet.ts';
import { FrameError } from './frameError.ts';
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

test('parseUdpFrame() names each reason', () => {
  const { tooManyVlanTags, vlanTruncated } = FrameError;
  const tags = [
    { protocol: 0x88a8, tci: 1 },
    { protocol: 0x8100, tci: 2 },
  ] as const;
  const tagged = { ...plainPlan, vlans: tags };
  assert.equal(parse(plainPlan, undefined, undefined, 13), FrameError.ethernetTruncated);
  assert.equal(parse(tagged, undefined, undefined, 21), vlanTruncated);
  assert.equal(
    parse(tagged, (view) => view.setUint16(20, 0x8100)),
    tooManyVlanTags,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint16(12, 0x0806)),
    FrameError.notIp,
  );
  assert.equal(parse(plainPlan, undefined, undefined, 51), FrameError.ipv4Truncated);
  assert.equal(
    parse(plainPlan, (view) => view.setUint8(14, 0x55)),
    FrameError.ipv4BadVersion,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint8(14, 0x44)),
    FrameError.ipv4BadHeaderLen,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint16(16, 19)),
    FrameError.ipv4BadTotalLen,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint8(22, 63)),
    FrameError.ipv4BadChecksum,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint16(20, 0x2000), ChecksumMode.ignore),
    FrameError.ipv4Fragment,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint8(23, 6), ChecksumMode.ignore),
    FrameError.notUdp,
  );
  assert.equal(parse(plainPlan6, undefined, undefined, 53), FrameError.ipv6Truncated);
  assert.equal(
    parse(plainPlan6, (view) => view.setUint8(14, 0x40)),
    FrameError.ipv6BadVersion,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint8(20, 60)),
    FrameError.ipv6BadExtension,
  );
  const nine = Array.from({ length: 9 }, () => ({ type: 60, units: 0 }));
  assert.equal(parse({ ...plainPlan6, extensions: nine }), FrameError.ipv6TooManyExtensions);
  const routed = { ...plainPlan6, extensions: [{ type: 43, units: 2 }] };
  assert.equal(
    parse(routed, (view) => view.setUint8(57, 1)),
    FrameError.ipv6NotArrived,
  );
  const fragment = { ...plainPlan6, extensions: [{ type: 44, units: 0 }] };
  assert.equal(
    parse(fragment, (view) => view.setUint16(56, 1)),
    FrameError.ipv6Fragment,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint8(20, 58)),
    FrameError.notUdp,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint16(18, 7)),
    FrameError.udpTruncated,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint16(38, 7)),
    FrameError.udpBadLen,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint16(38, 19)),
    FrameError.udpBadLen,
  );
  assert.equal(
    parse(plainPlan, (view) => view.setUint8(51, 0)),
    FrameError.udpBadChecksum,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint8(71, 0)),
    FrameError.udpBadChecksum,
  );
  assert.equal(
    parse(plainPlan6, (view) => view.setUint16(60, 0)),
    FrameError.udpNoChecksum,
  );
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
