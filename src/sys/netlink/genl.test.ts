import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NETLINK_GENERIC, nlmsghdr } from '../uapi/index.ts';
import { findFamily, genlMessage } from './genl.ts';
import { Attributes } from './message.ts';
import { napiMessage } from './napis.ts';
import { NetlinkSocket } from './socket.ts';

test('genlMessage() writes command and version between header and attributes', () => {
  assert.deepEqual(
    [...genlMessage(0x1f, 11).u32(1, 2).finish(5, 9)],
    [
      [28, 0, 0, 0, 0x1f, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0],
      [11, 1, 0, 0],
      [8, 0, 1, 0, 2, 0, 0, 0],
    ].flat(),
  );
});

test('napiMessage() names the NAPI and both settings of a deferral', () => {
  const message = napiMessage(0x1f, 0x0203, { deferHardIrqs: 2, groFlushTimeoutNs: 200_000 });
  assert.deepEqual(
    [...message.finish(5, 1)].slice(nlmsghdr.sizeof),
    [
      [14, 1, 0, 0],
      [8, 0, 2, 0, 0x03, 0x02, 0, 0],
      [8, 0, 5, 0, 2, 0, 0, 0],
      [8, 0, 6, 0, 0x40, 0x0d, 0x03, 0],
    ].flat(),
  );
});

test('napiMessage() leaves out what is not to change', () => {
  assert.equal(napiMessage(0x1f, 7, { irqSuspendTimeoutNs: 0 }).finish(5, 1).length, 20 + 8 + 8);
});

test('a number of more than 32 bits is carried in 8 bytes, a shorter one in 4, both exactly', () => {
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.nat()), (number) => {
      const bytes = genlMessage(1, 1).uint(3, number).u32(4, 5).finish(0, 1);
      assert.equal(bytes.length, 20 + (number > 0xffff_ffff ? 12 : 8) + 8);
      const attributes = new Attributes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 20);
      assert.equal(attributes.uint(3), number);
      assert.equal(attributes.u32(4), 5);
    }),
  );
});

test('findFamily() finds the control family and its commands, and no family that does not exist', () => {
  using socket = new NetlinkSocket(NETLINK_GENERIC);
  const control = findFamily(socket, 'nlctrl');
  assert.equal(control?.id, 16);
  assert.ok(control.commands.has(3), 'CTRL_CMD_GETFAMILY');
  assert.ok(!control.commands.has(0));
  assert.equal(findFamily(socket, 'no such family'), undefined);
});
