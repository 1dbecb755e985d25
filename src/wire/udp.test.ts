import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameError } from './frameError.ts';
import { makeFrame, plainPlan, plainPlan6 } from './frames.case.test.ts';
import { IpProtocol } from './ipProtocol.ts';
import { Ipv4Header } from './ipv4.ts';
import { Ipv6Header } from './ipv6.ts';
import { UdpHeader, writeUdpHeader } from './udp.ts';

test('UdpHeader reads a datagram and verifies it against either pseudo header', () => {
  for (const [plan, ip] of [
    [plainPlan, new Ipv4Header()],
    [plainPlan6, new Ipv6Header()],
  ] as const) {
    const { bytes, l3, l4 } = makeFrame(plan);
    const view = new DataView(bytes.buffer);
    const udp = new UdpHeader();
    assert.equal(ip.check(view, l3, bytes.length - l3, true), 0);
    assert.equal(udp.check(view, l4, bytes.length - l4), 0);
    assert.equal(udp.sourcePort, 40_000);
    assert.equal(udp.destinationPort, 9000);
    assert.equal(udp.len, 18);
    assert.equal(udp.isChecksumValid(ip.pseudoSum(IpProtocol.udp, udp.len)), true);
    bytes[l4 + 9]! ^= 1;
    assert.equal(udp.isChecksumValid(ip.pseudoSum(IpProtocol.udp, udp.len)), false);
  }
});

test('UdpHeader.check() takes lengths from 8 to what the packet holds', () => {
  const { bytes, l4 } = makeFrame(plainPlan);
  const view = new DataView(bytes.buffer);
  const udp = new UdpHeader();
  const checkLen = (len: number): number => {
    view.setUint16(l4 + 4, len);
    return udp.check(view, l4, 18);
  };
  assert.equal(checkLen(0), FrameError.udpBadLen);
  assert.equal(checkLen(7), FrameError.udpBadLen);
  assert.equal(checkLen(8), 0);
  assert.equal(checkLen(18), 0);
  assert.equal(checkLen(19), FrameError.udpBadLen);
  assert.equal(udp.check(view, l4, 7), FrameError.udpTruncated);
});

test('UdpHeader.isChecksumValid() denies a datagram without a checksum', () => {
  const { bytes, l3, l4 } = makeFrame({ ...plainPlan, withoutChecksum: true });
  const view = new DataView(bytes.buffer);
  const ip = new Ipv4Header();
  const udp = new UdpHeader();
  assert.equal(ip.check(view, l3, bytes.length - l3, true), 0);
  assert.equal(udp.check(view, l4, bytes.length - l4), 0);
  assert.equal(udp.checksum, 0);
  assert.equal(udp.isChecksumValid(ip.pseudoSum(IpProtocol.udp, udp.len)), false);
});

test('writeUdpHeader() writes the header of a datagram made by hand', () => {
  const { bytes, l3, l4 } = makeFrame(plainPlan6);
  const view = new DataView(bytes.slice().buffer);
  for (let at = l4; at < l4 + 8; at++) view.setUint8(at, 0xff);
  const ip = new Ipv6Header();
  assert.equal(ip.check(view, l3, bytes.length - l3), 0);
  const pseudoSum = ip.pseudoSum(IpProtocol.udp, 18);
  const ports = { sourcePort: 40_000, destinationPort: 9000, payloadLen: 10 };
  assert.equal(writeUdpHeader(view, l4, { ...ports, pseudoSum }), 8);
  assert.deepEqual(new Uint8Array(view.buffer), bytes);
  writeUdpHeader(view, l4, ports);
  assert.equal(view.getUint16(l4 + 6), 0, 'no checksum without a pseudo header');
});

test('writeUdpHeader() sends a checksum of zero as all ones', () => {
  const view = new DataView(new ArrayBuffer(10));
  // Ports, length and payload that add up to 0xffff, with an empty pseudo header.
  view.setUint16(8, 0xffff - 10);
  writeUdpHeader(view, 0, { sourcePort: 0, destinationPort: 0, payloadLen: 2, pseudoSum: 0 });
  assert.equal(view.getUint16(6), 0xffff);
});

test('writeUdpHeader() refuses fields that do not fit', () => {
  const view = new DataView(new ArrayBuffer(8));
  const ports = { sourcePort: 1, destinationPort: 2 };
  assert.throws(() => writeUdpHeader(view, 0, { ...ports, payloadLen: 65_528 }), RangeError);
  assert.throws(() => writeUdpHeader(view, 0, { ...ports, sourcePort: 65_536, payloadLen: 0 }), {
    name: 'RangeError',
    message: 'Cannot write source port 65536: wanted an integer from 0 to 65535',
  });
});
