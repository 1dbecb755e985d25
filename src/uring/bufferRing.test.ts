import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createMemfd, leakedFds, MappedRegion, UdpSocket } from '../sys/index.ts';
import { IORING_CQE_F_MORE } from '../sys/uapi/index.ts';
import { BufferRing, prepRead, prepRecv, prepRecvMultishot, selectBuffer, Uring } from './index.ts';

const { ENOBUFS } = constants.errno;

/** A UDP socket that a ring receives from, and one that sends to it. */
class Rig implements Disposable {
  readonly ring: Uring = new Uring({ entries: 16 });
  readonly buffers: BufferRing;
  readonly #receiver = new UdpSocket({ address: '127.0.0.1' });
  readonly #sender = new UdpSocket({ peer: this.#receiver.local });

  constructor(count: number, bufferLen = 64) {
    this.buffers = new BufferRing(this.ring, { group: 3, count, bufferLen });
  }

  get fd(): number {
    return this.#receiver.fd;
  }

  /** Sends a datagram of `len` bytes, all of them `mark`. */
  send(mark: number, len = 10): void {
    const offset = this.#sender.reserve(len);
    for (let i = 0; i < len; i++) this.#sender.sendView.setUint8(offset + i, mark);
    assert.equal(this.#sender.flush(), 1);
  }

  /** The next completion: its result, flags and buffer. */
  next(): { result: number; flags: number; id: number } {
    assert.ok(this.ring.submitAndWait(1, 1e9) >= 1);
    const at = this.ring.slot(0);
    const [result, flags] = [this.ring.cqes[at + 2]!, this.ring.cqes[at + 3]!];
    this.ring.release(1);
    return { result, flags, id: this.buffers.take(flags) };
  }

  [Symbol.dispose](): void {
    this.ring.close();
    this.#sender.close();
    this.#receiver.close();
  }
}

describe('BufferRing', () => {
  it('gives each datagram a buffer, with one entry for all of them', () => {
    using rig = new Rig(8);
    const { buffers } = rig;
    prepRecvMultishot(rig.ring, rig.fd, 3, 0, 1, 0);
    rig.ring.submit();
    for (let mark = 1; mark <= 40; mark++) {
      rig.send(mark, 5 + mark);
      const { result, flags, id } = rig.next();
      assert.equal(result, 5 + mark);
      assert.notEqual(flags & IORING_CQE_F_MORE, 0);
      const from = buffers.offsetOf(id);
      assert.ok(buffers.bytes.subarray(from, from + result).every((byte) => byte === mark));
      assert.equal(buffers.held, 1);
      buffers.recycle(id);
      buffers.publish();
    }
  });

  it('ends the receive when all buffers are ours, and serves the next one when some are back', () => {
    using rig = new Rig(2);
    const { buffers } = rig;
    prepRecvMultishot(rig.ring, rig.fd, 3, 0, 1, 0);
    rig.ring.submit();
    for (let mark = 1; mark <= 3; mark++) rig.send(mark);
    const ids = [rig.next().id, rig.next().id];
    assert.deepEqual(new Set(ids), new Set([0, 1]));
    const { result, flags } = rig.next();
    assert.deepEqual([result, flags & IORING_CQE_F_MORE], [-ENOBUFS, 0]);
    buffers.recycle(ids[0]!);
    buffers.publish();
    prepRecvMultishot(rig.ring, rig.fd, 3, 0, 1, 0);
    const again = rig.next();
    assert.deepEqual([again.result, again.id], [10, ids[0]]);
    assert.equal(
      buffers.bytes[buffers.offsetOf(again.id)],
      3,
      'the datagram that found no buffer is still there',
    );
  });

  it('knows whose a buffer is, in any order of operations', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 60 }), (choices) => {
        using rig = new Rig(4);
        const { buffers, ring } = rig;
        const held: number[] = [];
        for (const [mark, choice] of choices.entries()) {
          if (choice < 6 && held.length < 4) {
            rig.send(mark);
            selectBuffer(ring, prepRecv(ring, rig.fd, 0, 64, 0, 1, 0), 3);
            const { result, id } = rig.next();
            assert.equal(result, 10);
            assert.ok(!held.includes(id), 'the kernel wrote a buffer of ours');
            assert.equal(buffers.bytes[buffers.offsetOf(id)], mark);
            held.push(id);
          } else if (held.length > 0) {
            const [id] = held.splice(choice % held.length, 1);
            buffers.recycle(id!);
            buffers.publish();
            assert.throws(() => buffers.recycle(id!), /the kernel has it already/);
          }
          assert.equal(buffers.held, held.length);
        }
      }),
      { numRuns: process.env.BAREWIRE_SOAK === '1' ? 1000 : 20 },
    );
  });

  it('takes no buffer that a completion does not name', () => {
    using ring = new Uring({ entries: 4 });
    using buffers = new BufferRing(ring, { count: 2, bufferLen: 16 });
    using file = createMemfd('uring', 8);
    using memory = new MappedRegion({ len: 4096 });
    prepRead(ring, file.fd, memory.ptr, 8, 0, 1, 0);
    assert.equal(ring.submitAndWait(1, 1e9), 1);
    assert.equal(buffers.take(ring.cqes[ring.slot(0) + 3]!), -1);
    assert.equal(buffers.take(0xffff_0001), -1);
  });

  it('refuses numbers that are none, and a group that is there', () => {
    using ring = new Uring({ entries: 4 });
    using first = new BufferRing(ring, { group: 1, count: 2, bufferLen: 16 });
    assert.throws(() => new BufferRing(ring, { group: first.group, count: 2, bufferLen: 16 }), {
      code: 'EEXIST',
    });
    assert.throws(() => new BufferRing(ring, { count: 3, bufferLen: 16 }), /count must be a power of two/);
    assert.throws(() => new BufferRing(ring, { count: 2, bufferLen: 0 }), /bufferLen must be 1/);
    assert.throws(
      () => new BufferRing(ring, { group: -1, count: 2, bufferLen: 1 }),
      /group must be 0 to 65535/,
    );
  });

  it('can be opened and closed a thousand times, and leaves nothing behind', () => {
    const before = leakedFds().length;
    using ring = new Uring({ entries: 4 });
    for (let i = 0; i < 1000; i++) {
      const buffers = new BufferRing(ring, { count: 4, bufferLen: 256 });
      buffers.close();
      buffers.close();
    }
    ring.close();
    assert.equal(leakedFds().length, before);
  });
});
