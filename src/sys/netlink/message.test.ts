import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nlmsghdr } from '../uapi/index.ts';
import { Attributes, NetlinkMessage } from './message.ts';

function reread(message: NetlinkMessage, fixedLen: number): Attributes {
  const bytes = message.finish(0, 1);
  const body = new DataView(bytes.buffer, bytes.byteOffset + nlmsghdr.sizeof, bytes.length - nlmsghdr.sizeof);
  return new Attributes(body, fixedLen);
}

test('NetlinkMessage writes header, fixed part and aligned attributes', () => {
  const message = new NetlinkMessage(16, 0x400, 6);
  message.fixed.setUint8(0, 7);
  message.text(3, 'v0').u32(4, 0x01020304);
  assert.deepEqual(
    [...message.finish(5, 9)],
    [
      [40, 0, 0, 0, 16, 0, 5, 4, 9, 0, 0, 0, 0, 0, 0, 0],
      [7, 0, 0, 0, 0, 0, 0, 0],
      [7, 0, 3, 0, 0x76, 0x30, 0, 0],
      [8, 0, 4, 0, 4, 3, 2, 1],
    ]
      .flat()
      .concat([]),
  );
});

test('Attributes reads back what NetlinkMessage wrote, nested ones and their fixed part included', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(0xffffffff),
      fc.nat(64),
      (bytes, number, fixedLen) => {
        const message = new NetlinkMessage(1, 0, fixedLen);
        message.bytes(1, bytes).nested(2, () => message.u32(3, number).text(4, 'veth'), fixedLen);
        const attributes = reread(message, fixedLen);
        assert.deepEqual(attributes.bytes(1), bytes);
        assert.equal(attributes.u32(3), undefined);
        const raw = attributes.bytes(2)!;
        const inner = new Attributes(new DataView(raw.buffer, raw.byteOffset, raw.byteLength), fixedLen);
        assert.equal(inner.u32(3), number);
        assert.equal(inner.text(4), 'veth');
      },
    ),
  );
});

test('Attributes survives any bytes and reads nothing outside them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, start) => {
      const attributes = new Attributes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), start);
      for (let type = 0; type < 256; type++) assert.ok((attributes.bytes(type)?.length ?? 0) <= bytes.length);
    }),
  );
});

test('Attributes gives undefined for what is absent or too short', () => {
  const attributes = reread(
    new NetlinkMessage(1, 0, 0).bytes(1, new Uint8Array(0)).bytes(2, new Uint8Array(3)),
    0,
  );
  assert.equal(attributes.u8(1), undefined);
  assert.equal(attributes.u32(2), undefined);
  assert.equal(attributes.text(9), undefined);
  assert.equal(attributes.nested(9).u32(1), undefined);
});
