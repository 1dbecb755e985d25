import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMemfd, EventFd, MappedRegion } from '../sys/index.ts';
import { IORING_OP_BIND, IORING_OP_NOP, IORING_OP_RECV, IORING_OP_SEND_ZC } from '../sys/uapi/index.ts';
import {
  EntryFlags,
  mark,
  prepNop,
  prepRead,
  registerBuffers,
  registerEventfd,
  registerFiles,
  registerNapi,
  replaceFile,
  supportedOperations,
  Uring,
  unregisterBuffers,
  unregisterFiles,
} from './index.ts';

/** Waits for the only completion. @returns its result */
function result(ring: Uring): number {
  assert.equal(ring.submitAndWait(1, 1e9), 1);
  const value = ring.cqes[ring.slot(0) + 2]!;
  ring.release(1);
  return value;
}

describe('what is registered with a ring', () => {
  it('tells which operations the kernel has', () => {
    using ring = new Uring({ entries: 4 });
    const operations = supportedOperations(ring);
    for (const operation of [IORING_OP_NOP, IORING_OP_RECV, IORING_OP_SEND_ZC, IORING_OP_BIND]) {
      assert.ok(operations.has(operation), `operation ${operation}`);
    }
    assert.equal(operations.has(250), false);
  });

  it('lets entries name files by their place', () => {
    using ring = new Uring({ entries: 4 });
    using short = createMemfd('short', 3);
    using long = createMemfd('long', 7);
    using memory = new MappedRegion({ len: 4096 });
    const readPlace = (place: number): number => {
      mark(ring, prepRead(ring, place, memory.ptr, 100, 0, 1, 0), EntryFlags.fixedFile);
      return result(ring);
    };
    registerFiles(ring, [short.fd, -1, long.fd]);
    assert.throws(() => registerFiles(ring, [short.fd]), { code: 'EBUSY' });
    assert.deepEqual([readPlace(0), readPlace(2)], [3, 7]);
    replaceFile(ring, 1, long.fd);
    replaceFile(ring, 0, -1);
    assert.equal(readPlace(1), 7);
    assert.ok(readPlace(0) < 0);
    assert.throws(() => replaceFile(ring, 3, long.fd), { code: 'EINVAL' });
    unregisterFiles(ring);
    assert.throws(() => unregisterFiles(ring), { code: 'ENXIO' });
  });

  it('pins memory once', () => {
    using ring = new Uring({ entries: 4 });
    using memory = new MappedRegion({ len: 8192 });
    registerBuffers(ring, [
      { ptr: memory.ptr, len: 4096 },
      { ptr: memory.ptr + 4096, len: 4096 },
    ]);
    assert.throws(() => registerBuffers(ring, [{ ptr: memory.ptr, len: 4096 }]), { code: 'EBUSY' });
    unregisterBuffers(ring);
    assert.throws(() => unregisterBuffers(ring), { code: 'ENXIO' });
  });

  it('signals an eventfd for completions, until it is taken away', () => {
    using ring = new Uring({ entries: 4 });
    using event = EventFd.create('uring');
    registerEventfd(ring, event.fd);
    prepNop(ring, 1, 0);
    assert.equal(result(ring), 0);
    assert.ok(event.drain() > 0);
    registerEventfd(ring, undefined);
    prepNop(ring, 1, 0);
    assert.equal(result(ring), 0);
    assert.equal(event.drain(), 0);
  });

  it('has waits poll the NICs, and not any more', () => {
    using ring = new Uring({ entries: 4 });
    registerNapi(ring, { busyPollUs: 20, prefer: true });
    prepNop(ring, 1, 0);
    assert.equal(result(ring), 0);
    registerNapi(ring, undefined);
  });
});
