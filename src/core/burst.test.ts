import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Burst, copyDescriptor, FrameFlags } from './burst.ts';

function filled(count: number, timestamps = true): Burst {
  const burst = new Burst(8, { timestamps });
  for (let i = 0; i < count; i++) {
    burst.addr[i] = 2048 * i;
    burst.len[i] = 60 + i;
    burst.region[i] = i;
    burst.flags[i] = FrameFlags.vlan;
    burst.vlan[i] = 100 + i;
    if (burst.timestampNs !== null) burst.timestampNs[i] = 2 ** 40 + i;
  }
  burst.count = count;
  return burst;
}

function descriptor(burst: Burst, i: number): (number | undefined)[] {
  const { addr, len, region, flags, vlan, timestampNs } = burst;
  return [addr[i], len[i], region[i], flags[i], vlan[i], timestampNs?.[i]];
}

test('new Burst() is empty and has room for its capacity', () => {
  const burst = new Burst(64);
  assert.equal(burst.count, 0);
  assert.equal(burst.capacity, 64);
  assert.equal(burst.addr.length, 64);
  assert.equal(burst.timestampNs, null);
  assert.equal(new Burst(64, { timestamps: true }).timestampNs?.length, 64);
});

test('new Burst() rejects a capacity that is no whole number from 1 to 65536', () => {
  for (const capacity of [0, -1, 1.5, NaN, 65_537]) {
    assert.throws(() => new Burst(capacity), new RegExp(`RangeError: Cannot build a burst.*got ${capacity}`));
  }
});

test('the frame flags are distinct single bits of a byte', () => {
  const bits = Object.values(FrameFlags);
  assert.deepEqual(new Set(bits), new Set([1, 2, 4, 8, 16]));
  assert.equal(bits.length, 5);
});

test('copyDescriptor() copies every column and leaves both counts', () => {
  const from = filled(3);
  const to = filled(5);
  copyDescriptor(from, 2, to, 0);
  assert.deepEqual(descriptor(to, 0), descriptor(from, 2));
  assert.deepEqual(descriptor(to, 1), descriptor(from, 1));
  assert.deepEqual([from.count, to.count], [3, 5]);
});

test('copyDescriptor() into a burst with timestamps from one without stores 0', () => {
  const to = filled(2);
  copyDescriptor(filled(2, false), 1, to, 1);
  assert.deepEqual([...to.timestampNs!.subarray(0, 2)], [2 ** 40, 0]);
});

test('dropPrefix() keeps the rest in order, whatever the prefix', () => {
  for (let n = 0; n <= 8; n++) {
    const burst = filled(8);
    burst.dropPrefix(n);
    assert.equal(burst.count, 8 - n);
    for (let i = 0; i < burst.count; i++)
      assert.deepEqual(descriptor(burst, i), descriptor(filled(8), n + i));
  }
});

test('clear() forgets every descriptor', () => {
  const burst = filled(3);
  burst.clear();
  assert.equal(burst.count, 0);
});
