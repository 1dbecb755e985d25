import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OrderError, OrderRecord, orderErrorHelp, orderErrorNames } from './order.ts';

test('orderErrorNames is indexed by the negated code, and every name has help', () => {
  assert.equal(orderErrorNames[0], 'accepted');
  for (const [name, code] of Object.entries(OrderError)) assert.equal(orderErrorNames[-code], name);
  assert.equal(orderErrorNames.length, 1 + Object.keys(OrderError).length);
  assert.deepEqual(Object.keys(orderErrorHelp), [...orderErrorNames]);
});

test('OrderRecord takes and gives bigints, and keeps int32 halves', () => {
  const order = new OrderRecord();
  order.id = 0xffff_ffff_8000_0001n;
  order.price = 2n ** 63n;
  order.quantity = 5n;
  assert.deepEqual([order.idLo, order.idHi], [-0x7fff_ffff, -1]);
  assert.deepEqual([order.priceLo, order.priceHi], [0, -0x8000_0000]);
  assert.deepEqual([order.quantityLo, order.quantityHi], [5, 0]);
  assert.equal(order.id, 0xffff_ffff_8000_0001n);
  assert.equal(order.price, 2n ** 63n);
  assert.equal(order.quantity, 5n);
});

test('OrderRecord refuses a value that is no u64 and keeps the old one', () => {
  const order = new OrderRecord();
  order.id = 7n;
  assert.throws(() => {
    order.id = 2n ** 64n;
  }, RangeError);
  assert.throws(() => {
    order.price = -1n;
  }, RangeError);
  assert.throws(() => {
    order.quantity = 2n ** 64n;
  }, RangeError);
  assert.equal(order.id, 7n);
});
