import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OrderError, OrderRecord } from './order.ts';
import {
  decodeIntendedTime,
  decodeOrder,
  encodeIntendedTime,
  encodeOrder,
  ORDER_LEN,
  ORDER_RECORD_LEN,
  OrderRecordOffset,
  readOrderRecord,
  STAMPED_ORDER_LEN,
  writeOrderRecord,
} from './protocol.ts';

const EDGES = [0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n];
const u64 = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const time = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const orders = fc.record({ id: u64, price: u64, quantity: u64, side: fc.constantFrom(0, 1) });

function hex(text: string): DataView {
  return new DataView(Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex')).buffer);
}

test('decodeOrder() reads the 25 bytes as documented', () => {
  const view = hex('0807060504030201 00e40b5402000000 01000000000000f0 01');
  const order = new OrderRecord();
  assert.equal(decodeOrder(view, 0, ORDER_LEN, order), 0);
  assert.equal(order.id, 0x0102030405060708n);
  assert.equal(order.price, 10_000_000_000n);
  assert.equal(order.quantity, 0xf000000000000001n);
  assert.equal(order.side, 1);
});

test('decodeOrder() rejects every length below 25 and takes every length from there', () => {
  const view = new DataView(new ArrayBuffer(2048));
  const order = new OrderRecord();
  for (let len = 0; len < ORDER_LEN; len++) {
    assert.equal(decodeOrder(view, 0, len, order), OrderError.tooShort);
  }
  for (const len of [25, 26, 33, 1472]) assert.equal(decodeOrder(view, 3, len, order), 0);
});

test('decodeOrder() rejects every side from 2 on and leaves the record alone', () => {
  const view = new DataView(new ArrayBuffer(ORDER_LEN));
  view.setUint8(0, 99);
  const order = new OrderRecord();
  order.id = 5n;
  for (let side = 2; side < 256; side++) {
    view.setUint8(24, side);
    assert.equal(decodeOrder(view, 0, ORDER_LEN, order), OrderError.badSide);
    assert.equal(order.id, 5n);
  }
});

test('decodeOrder() undoes encodeOrder() at any offset, which writes 25 bytes and no more', () => {
  fc.assert(
    fc.property(orders, fc.nat(64), (fields, offset) => {
      const bytes = new Uint8Array(128).fill(0xee);
      const view = new DataView(bytes.buffer);
      const order = Object.assign(new OrderRecord(), fields);
      encodeOrder(view, offset, order);
      const back = new OrderRecord();
      assert.equal(decodeOrder(view, offset, ORDER_LEN, back), 0);
      assert.deepEqual(back, order);
      assert.equal(view.getBigUint64(offset, true), fields.id);
      assert.equal(view.getBigUint64(offset + 8, true), fields.price);
      assert.equal(view.getBigUint64(offset + 16, true), fields.quantity);
      assert.ok(bytes.every((byte, i) => (i >= offset && i < offset + 25) || byte === 0xee));
    }),
  );
});

test('decodeIntendedTime() undoes encodeIntendedTime() below 2^53', () => {
  fc.assert(
    fc.property(time, fc.nat(64), (timeNs, offset) => {
      const view = new DataView(new ArrayBuffer(128));
      const order = new OrderRecord();
      order.intendedNs = timeNs;
      encodeIntendedTime(view, offset, order);
      assert.equal(view.getBigUint64(offset + ORDER_LEN, true), BigInt(timeNs));
      order.intendedNs = 0;
      decodeIntendedTime(view, offset, STAMPED_ORDER_LEN, order);
      assert.equal(order.intendedNs, timeNs);
    }),
  );
});

test('encodeIntendedTime() rounds down to whole nanoseconds', () => {
  const view = new DataView(new ArrayBuffer(STAMPED_ORDER_LEN));
  const order = new OrderRecord();
  order.intendedNs = 2 ** 40 - 0.25;
  encodeIntendedTime(view, 0, order);
  assert.equal(view.getBigUint64(ORDER_LEN, true), 2n ** 40n - 1n);
});

test('decodeIntendedTime() gives NaN when the payload ends before the time does', () => {
  const view = new DataView(new ArrayBuffer(STAMPED_ORDER_LEN));
  const order = new OrderRecord();
  for (const len of [25, 32]) {
    order.intendedNs = 1;
    decodeIntendedTime(view, 0, len, order);
    assert.ok(Number.isNaN(order.intendedNs));
  }
});

test('readOrderRecord() undoes writeOrderRecord(), which starts with the wire form', () => {
  fc.assert(
    fc.property(orders, time, fc.option(time, { nil: Number.NaN }), (fields, rxNs, intendedNs) => {
      const bytes = new Uint8Array(3 * ORDER_RECORD_LEN).fill(0xee);
      const view = new DataView(bytes.buffer);
      const words = new Int32Array(bytes.buffer);
      const order = Object.assign(new OrderRecord(), fields, { rxNs, intendedNs });
      writeOrderRecord(view, words, ORDER_RECORD_LEN, order);
      const back = new OrderRecord();
      readOrderRecord(view, words, ORDER_RECORD_LEN, back);
      assert.deepEqual(back, order);
      assert.equal(view.getFloat64(ORDER_RECORD_LEN + OrderRecordOffset.rxNs, true), rxNs);

      const wire = new DataView(new ArrayBuffer(ORDER_LEN));
      encodeOrder(wire, 0, order);
      const start = Buffer.from(bytes.buffer, ORDER_RECORD_LEN, ORDER_LEN);
      assert.deepEqual(new Uint8Array(start), new Uint8Array(wire.buffer));
      assert.ok(bytes.subarray(0, ORDER_RECORD_LEN).every((byte) => byte === 0xee));
      assert.ok(bytes.subarray(2 * ORDER_RECORD_LEN).every((byte) => byte === 0xee));
      const padding = bytes.subarray(ORDER_RECORD_LEN + ORDER_LEN, ORDER_RECORD_LEN + OrderRecordOffset.rxNs);
      assert.ok(padding.every((byte) => byte === 0));
    }),
  );
});
