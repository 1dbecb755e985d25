import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, encodeSecret, type Message, MessageType } from './protocol.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const text = (len: number): fc.Arbitrary<string> =>
  fc.stringMatching(/^[ -~]*$/).filter((value) => value.length <= len);

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant(MessageType.ack) }),
  fc.record({
    type: fc.constant(MessageType.hello),
    name: text(31),
    minVersion: u16,
    maxVersion: u16,
    maxRegion: u16,
    maxToClient: u16,
    maxToServer: u16,
    maxLog2RingSize: u8,
  }),
  fc.record({
    type: fc.constant(MessageType.init),
    version: u16,
    id: u32,
    mode: u8,
    secret: fc.uint8Array({ minLength: 24, maxLength: 24 }),
    name: text(31),
  }),
  fc.record({ type: fc.constant(MessageType.addRegion), index: u16, len: fc.maxSafeNat() }),
  fc.record({
    type: fc.constant(MessageType.addRing),
    flags: u16,
    index: u16,
    region: u16,
    offset: u32,
    log2Size: u8,
    privateHeaderLen: u16,
  }),
  fc.record({ type: fc.constantFrom(MessageType.connect, MessageType.connected), interfaceName: text(31) }),
  fc.record({ type: fc.constant(MessageType.disconnect), code: u32, reason: text(95) }),
);

const hex = (message: Message): string =>
  Buffer.from(encodeMessage(message))
    .toString('hex')
    .replace(/(00)+$/, '');

test('decodeMessage() reads what encodeMessage() wrote', () => {
  fc.assert(
    fc.property(
      anyMessage.map((message) => ({ ...message })),
      (message) => assert.deepEqual(decodeMessage(encodeMessage(message)), message),
    ),
  );
});

test('encodeMessage() packs fields as memif.h does', () => {
  // By hand, from the packed structs of drivers/net/memif/memif.h.
  assert.equal(hex({ type: 1 }), '01');
  assert.equal(
    hex({
      type: 2,
      name: 'ab',
      minVersion: 0x0200,
      maxVersion: 0x0201,
      maxRegion: 0x0304,
      maxToClient: 0x0506,
      maxToServer: 0x0708,
      maxLog2RingSize: 14,
    }),
    `0200${'6162'.padEnd(64, '0')}0002010204030605080${'70e'}`,
  );
  assert.equal(
    hex({
      type: 3,
      version: 0x0200,
      id: 0x0403_0201,
      mode: 1,
      secret: new Uint8Array(24).fill(0x5a),
      name: 'c',
    }),
    `0300000201020304015a${'5a'.repeat(23)}63`,
  );
  assert.equal(hex({ type: 4, index: 0x0102, len: 0x0008_0706_0504_0302 }), '0400020102030405060708');
  assert.equal(
    hex({
      type: 5,
      flags: 1,
      index: 2,
      region: 3,
      offset: 0x0807_0605,
      log2Size: 10,
      privateHeaderLen: 0x0d0c,
    }),
    '0500010002000300050607080a0c0d',
  );
  assert.equal(hex({ type: 6, interfaceName: 'if' }), '06006966');
  assert.equal(hex({ type: 8, code: 0x0403_0201, reason: 'no' }), '0800010203046e6f');
});

test('encodeMessage() cuts a text that has no room, before its final zero', () => {
  const bytes = encodeMessage({ type: MessageType.disconnect, code: 0, reason: 'x'.repeat(200) });
  assert.equal(bytes.indexOf(0, 6), 6 + 95);
});

test('decodeMessage() leaves out what does not print of a text without a zero', () => {
  const bytes = new Uint8Array(128).fill(0x41);
  bytes.set([8, 0, 0, 0, 0, 0, 0x1b, 0x5b]);
  const message = decodeMessage(bytes);
  assert.deepEqual(message, { type: 8, code: 0, reason: `[${'A'.repeat(94)}` });
});

test('decodeMessage() rejects other lengths and types', () => {
  assert.equal(decodeMessage(new Uint8Array(127).fill(1)), undefined);
  assert.equal(decodeMessage(new Uint8Array(129).fill(1)), undefined);
  for (const type of [0, 9, 0x0101]) {
    const bytes = new Uint8Array(128);
    new DataView(bytes.buffer).setUint16(0, type, true);
    assert.equal(decodeMessage(bytes), undefined);
  }
});

test('encodeSecret() pads with zeros and refuses what does not fit', () => {
  assert.deepEqual(encodeSecret('ab'), Uint8Array.from([97, 98, ...new Array(22).fill(0)]));
  for (const secret of ['', 'x'.repeat(25), 'a\0b']) {
    assert.throws(() => encodeSecret(secret), RangeError);
  }
});
