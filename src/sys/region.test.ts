import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemfd, crossedLine, MAX_REGION_LEN, MappedFile, MappedRegion } from './region.ts';

test('MappedRegion is zeroed, page-aligned, writable memory of at least the wanted length', () => {
  using region = new MappedRegion({ len: 5000 });
  assert.equal(region.len, 8192);
  assert.equal(region.pageSize, 4096);
  assert.equal(region.ptr % 4096, 0);
  const bytes = new Uint8Array(region.buffer);
  assert.ok(bytes.every((byte) => byte === 0));
  bytes[8191] = 7;
  assert.equal(new Uint8Array(region.buffer)[8191], 7);
});

test('MappedRegion detaches its view on close, and close() twice does no harm', () => {
  const region = new MappedRegion({ len: 4096 });
  const bytes = new Uint8Array(region.buffer);
  region.close();
  region.close();
  assert.equal(bytes.length, 0);
  assert.throws(() => new DataView(region.buffer), TypeError);
});

test('MappedRegion refuses lengths that typed arrays or the machine cannot take', () => {
  for (const len of [0, -1, 1.5, Number.NaN, MAX_REGION_LEN + 1]) {
    assert.throws(() => new MappedRegion({ len }), RangeError);
  }
});

test('MappedRegion says which pages it got and why they are smaller than asked', () => {
  using region = new MappedRegion({ len: 4096, hugePages: 'try' });
  const huge = region.pageSize === 2 << 20;
  assert.equal(region.pageReason === undefined, huge);
  if (!huge)
    assert.match(region.pageReason!, /^Cannot map huge pages for memory: ENOMEM\. No free huge pages/);
});

test('crossedLine() finds the multiple of 4 GiB strictly inside a piece of memory', () => {
  const line = 2 ** 32;
  assert.equal(crossedLine(line - 4096, 4096), undefined);
  assert.equal(crossedLine(line, 4096), undefined);
  assert.equal(crossedLine(line - 4096, 8192), line);
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: 2 ** 40 }), (len, ptr) => {
      const crosses = Math.floor(ptr / line) !== Math.floor((ptr + Math.max(len, 1) - 1) / line);
      assert.equal(crossedLine(ptr, len) !== undefined, crosses);
    }),
  );
});

test('a memfd is seen by everyone who maps it', () => {
  using fd = createMemfd('barewire-test', 4096);
  using first = new MappedFile(fd.fd, 4096, 0, 'memfd');
  using second = new MappedFile(fd.fd, 4096, 0, 'memfd again');
  new Uint32Array(first.buffer)[3] = 0xdeadbeef;
  assert.equal(new Uint32Array(second.buffer)[3], 0xdeadbeef);
  assert.equal(readFileSync(`/proc/self/fd/${fd.fd}`).readUInt32LE(12), 0xdeadbeef);
});
