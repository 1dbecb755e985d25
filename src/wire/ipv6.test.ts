import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameError } from './frameError.ts';
import { type FramePlan, makeFrame, plainPlan6 } from './frames.case.test.ts';
import { IpProtocol } from './ipProtocol.ts';
import { Ipv6Header, type Ipv6Spec, writeIpv6Header } from './ipv6.ts';

const spec: Ipv6Spec = {
  source: '2001:db8::1',
  destination: 'ff02::fb',
  protocol: IpProtocol.icmpv6,
  payloadLen: 9,
};

const PACKET = 14;

/** A packet with these extension headers, `change` applied to its bytes, and what check() says of it. */
function checked(
  extensions: FramePlan['extensions'],
  change: (packet: DataView) => void = () => {},
): { code: number; header: Ipv6Header } {
  const { bytes } = makeFrame({ ...plainPlan6, extensions });
  change(new DataView(bytes.buffer, PACKET));
  const header = new Ipv6Header();
  return { code: header.check(new DataView(bytes.buffer), PACKET, bytes.length - PACKET), header };
}

test('Ipv6Header reads what writeIpv6Header() wrote', () => {
  const view = new DataView(new ArrayBuffer(60));
  const len = writeIpv6Header(view, 1, { ...spec, hopLimit: 255, trafficClass: 0xb8, flowLabel: 0xfedcb });
  const header = new Ipv6Header();
  assert.equal(len, 40);
  assert.equal(header.check(view, 1, 49), 0);
  assert.equal(header.headerLen, 40);
  assert.equal(header.totalLen, 49);
  assert.equal(header.protocol, IpProtocol.icmpv6);
  assert.equal(header.hopLimit, 255);
  assert.equal(header.trafficClass, 0xb8);
  assert.equal(header.flowLabel, 0xfedcb);
  assert.equal(header.source, '2001:db8::1');
  assert.equal(header.destination, 'ff02::fb');
  assert.equal(header.isFragment, false);
});

test('Ipv6Header walks the extension headers that every node must know', () => {
  const extensions = [
    { type: 0, units: 1 },
    { type: 60, units: 0 },
    { type: 43, units: 2 },
    { type: 44, units: 0 },
    { type: 60, units: 3 },
  ];
  const { code, header } = checked(extensions);
  assert.equal(code, 0);
  assert.equal(header.protocol, IpProtocol.udp);
  assert.equal(header.headerLen, 40 + 16 + 8 + 24 + 8 + 32);
});

test('Ipv6Header.check() takes eight extension headers and refuses nine', () => {
  const chain = (count: number): number =>
    checked(Array.from({ length: count }, () => ({ type: 60, units: 0 }))).code;
  assert.equal(chain(8), 0);
  assert.equal(chain(9), FrameError.ipv6TooManyExtensions);
});

test('Ipv6Header.check() refuses hop-by-hop options anywhere but first', () => {
  assert.equal(checked([{ type: 0, units: 0 }]).code, 0);
  const { code } = checked([
    { type: 60, units: 0 },
    { type: 0, units: 0 },
  ]);
  assert.equal(code, FrameError.ipv6BadExtension);
});

test('Ipv6Header.check() refuses an extension header that runs past the packet', () => {
  // The packet has 8 + 18 bytes behind the fixed header: units of 8 bytes from 3 on are too long.
  const withUnits = (units: number): number =>
    checked([{ type: 60, units: 0 }], (packet) => packet.setUint8(41, units)).code;
  assert.equal(withUnits(2), 0);
  assert.equal(withUnits(3), FrameError.ipv6BadExtension);
  assert.equal(withUnits(255), FrameError.ipv6BadExtension);
});

test('Ipv6Header.check() refuses a chain that ends in the middle', () => {
  for (const type of [43, 44, 60]) {
    const { code } = checked([{ type, units: 0 }], (packet) => packet.setUint16(4, 7));
    assert.equal(code, FrameError.ipv6BadExtension, `type ${type}`);
  }
});

test('Ipv6Header.check() refuses a jumbogram, whose options lie beyond its payload length of 0', () => {
  const { code } = checked([{ type: 0, units: 0 }], (packet) => packet.setUint16(4, 0));
  assert.equal(code, FrameError.ipv6BadExtension);
});

test('Ipv6Header.check() refuses a packet that has further stops', () => {
  const { code } = checked([{ type: 43, units: 2 }], (packet) => packet.setUint8(43, 1));
  assert.equal(code, FrameError.ipv6NotArrived);
});

test('Ipv6Header tells fragments from a whole packet with a fragment header', () => {
  const fragment = (field: number): Ipv6Header => {
    const { code, header } = checked([{ type: 44, units: 0 }], (packet) => packet.setUint16(42, field));
    assert.equal(code, 0);
    return header;
  };
  assert.equal(fragment(0).isFragment, false);
  assert.equal(fragment(0x0006).isFragment, false, 'reserved bits');
  assert.equal(fragment(0x0001).isFragment, true, 'first of several');
  assert.equal(fragment(0x0008).isFragment, true, 'second');
  assert.equal(fragment(0x0008).protocol, IpProtocol.udp);
});

test('Ipv6Header.check() forgets the fragment it saw before', () => {
  const { header } = checked([{ type: 44, units: 0 }], (packet) => packet.setUint16(42, 1));
  assert.equal(header.isFragment, true);
  const { bytes } = makeFrame(plainPlan6);
  assert.equal(header.check(new DataView(bytes.buffer), PACKET, bytes.length - PACKET), 0);
  assert.equal(header.isFragment, false);
});

test('Ipv6Header.check() leaves AH and ESP to whoever can verify them', () => {
  for (const protocol of [IpProtocol.ah, IpProtocol.esp, IpProtocol.none, 135]) {
    const { code, header } = checked([], (packet) => packet.setUint8(6, protocol));
    assert.equal(code, 0);
    assert.equal(header.protocol, protocol);
    assert.equal(header.headerLen, 40);
  }
});

test('Ipv6Header.check() names a short or foreign packet', () => {
  const { bytes } = makeFrame(plainPlan6);
  const view = new DataView(bytes.buffer);
  const header = new Ipv6Header();
  assert.equal(header.check(view, PACKET, 39), FrameError.ipv6Truncated);
  assert.equal(header.check(view, PACKET, bytes.length - PACKET - 1), FrameError.ipv6Truncated);
  view.setUint8(PACKET, 0x45);
  assert.equal(header.check(view, PACKET, bytes.length - PACKET), FrameError.ipv6BadVersion);
});

test('writeIpv6Header() refuses fields that do not fit', () => {
  const write = (changes: Partial<Ipv6Spec>): unknown =>
    writeIpv6Header(new DataView(new ArrayBuffer(40)), 0, { ...spec, ...changes });
  assert.throws(() => write({ flowLabel: 0x100000 }), RangeError);
  assert.throws(() => write({ payloadLen: 65_536 }), RangeError);
  assert.throws(() => write({ source: '10.0.0.1' }), {
    name: 'TypeError',
    message: 'Cannot write 10.0.0.1 into an IPv6 header: wanted an IPv6 address',
  });
});
