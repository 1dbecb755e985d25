import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameError } from './frameError.ts';
import { slowChecksum } from './frames.case.test.ts';
import { IpProtocol } from './ipProtocol.ts';
import { Ipv4Header, type Ipv4Spec, writeIpv4Header } from './ipv4.ts';

const spec: Ipv4Spec = {
  source: '192.0.2.1',
  destination: '198.51.100.2',
  protocol: IpProtocol.tcp,
  payloadLen: 9,
};

function written(changes: Partial<Ipv4Spec> = {}): DataView {
  const view = new DataView(new ArrayBuffer(100));
  writeIpv4Header(view, 2, { ...spec, ...changes });
  return view;
}

/** What check() says of a written header after one change, its checksum mended. */
function checkChanged(at: number, value: number, len = 98): number {
  const view = written();
  view.setUint8(2 + at, value);
  view.setUint16(12, 0);
  view.setUint16(12, slowChecksum([...new Uint8Array(view.buffer, 2, 20)]));
  return new Ipv4Header().check(view, 2, len, true);
}

test('Ipv4Header reads what writeIpv4Header() wrote', () => {
  const header = new Ipv4Header();
  const view = written({ ttl: 3, trafficClass: 0xb8, identification: 0xabcd });
  assert.equal(header.check(view, 2, 29, true), 0);
  assert.equal(header.headerLen, 20);
  assert.equal(header.totalLen, 29);
  assert.equal(header.protocol, IpProtocol.tcp);
  assert.equal(header.ttl, 3);
  assert.equal(header.trafficClass, 0xb8);
  assert.equal(header.identification, 0xabcd);
  assert.equal(header.source, '192.0.2.1');
  assert.equal(header.destination, '198.51.100.2');
  assert.equal(header.isFragment, false);
});

test('Ipv4Header steps over options', () => {
  const view = written({ options: new Uint8Array(40).fill(1) });
  const header = new Ipv4Header();
  assert.equal(header.check(view, 2, 98, true), 0);
  assert.equal(header.headerLen, 60);
  assert.equal(header.totalLen, 69);
});

test('Ipv4Header tells fragments from whole packets', () => {
  const header = new Ipv4Header();
  const isFragment = (changes: Partial<Ipv4Spec>): boolean => {
    assert.equal(header.check(written(changes), 2, 98, true), 0);
    return header.isFragment;
  };
  assert.equal(isFragment({ dontFragment: false }), false);
  assert.equal(isFragment({ dontFragment: true }), false);
  assert.equal(isFragment({ moreFragments: true }), true);
  assert.equal(isFragment({ fragmentOffset: 1 }), true);
  assert.equal(isFragment({ fragmentOffset: 0x1fff }), true);
});

test('Ipv4Header.check() names what is wrong', () => {
  assert.equal(checkChanged(0, 0x45), 0);
  assert.equal(checkChanged(0, 0x45, 19), FrameError.ipv4Truncated);
  assert.equal(checkChanged(0, 0x45, 28), FrameError.ipv4Truncated);
  assert.equal(checkChanged(0, 0x65), FrameError.ipv4BadVersion);
  assert.equal(checkChanged(0, 0x44), FrameError.ipv4BadHeaderLen);
  assert.equal(checkChanged(3, 19), FrameError.ipv4BadTotalLen);
  assert.equal(checkChanged(0, 0x48), FrameError.ipv4BadTotalLen, '32 bytes of header in 29');
  assert.equal(checkChanged(2, 1), FrameError.ipv4Truncated);
});

test('Ipv4Header.check() verifies the checksum, options included, unless told not to', () => {
  const header = new Ipv4Header();
  for (const at of [3, 10, 21, 23]) {
    const view = written({ options: Uint8Array.of(1, 1, 1, 0) });
    view.setUint8(2 + at, view.getUint8(2 + at) ^ 1);
    assert.equal(header.check(view, 2, 98, true), FrameError.ipv4BadChecksum, `byte ${at}`);
    assert.equal(header.check(view, 2, 98, false), 0, `byte ${at}`);
  }
});

test('writeIpv4Header() refuses fields that do not fit', () => {
  assert.throws(() => written({ payloadLen: 65_516 }), {
    name: 'RangeError',
    message: 'Cannot write IPv4 total length 65536: wanted an integer from 0 to 65535',
  });
  assert.throws(() => written({ options: new Uint8Array(3) }), RangeError);
  assert.throws(() => written({ options: new Uint8Array(44) }), RangeError);
  assert.throws(() => written({ fragmentOffset: 0x2000 }), RangeError);
  assert.throws(() => written({ source: '::1' }), {
    name: 'TypeError',
    message: 'Cannot write ::1 into an IPv4 header: wanted an IPv4 address',
  });
});
