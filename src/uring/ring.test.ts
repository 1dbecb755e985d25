import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leakedFds, nowNs } from '../sys/index.ts';
import { IORING_OP_NOP, IOSQE_IO_LINK } from '../sys/uapi/index.ts';
import { CQE_WORDS, Uring } from './ring.ts';
import type { TaskRun } from './setup.ts';

const USER_DATA = 8;

/** Writes a nop whose user data is `number`. */
function nop(ring: Uring, number: number, flags = 0): void {
  const at = ring.next();
  assert.ok(at >= 0);
  ring.sqes[at] = IORING_OP_NOP | (flags << 8);
  ring.sqes[at + USER_DATA] = number;
  ring.sqes[at + USER_DATA + 1] = ~number;
}

/** Takes what is completed. @returns the user data */
function take(ring: Uring): number[] {
  const numbers: number[] = [];
  const count = ring.peek();
  for (let i = 0; i < count; i++) {
    const at = ring.slot(i);
    const [low, high, result] = ring.cqes.subarray(at, at + CQE_WORDS);
    assert.equal(high, ~low!);
    assert.equal(result, 0);
    numbers.push(low!);
  }
  ring.release(count);
  return numbers;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

for (const taskRun of ['deferred', 'cooperative', 'interrupting'] satisfies TaskRun[]) {
  describe(`Uring, ${taskRun}`, () => {
    it('completes what was submitted, in bursts of every size, around the ring', () => {
      using ring = new Uring({ entries: 8, taskRun, strict: true });
      assert.equal(ring.taskRun, taskRun);
      assert.equal(ring.entries, 8);
      for (let round = 0; round < 100; round++) {
        const size = 1 + (round % 8);
        for (let i = 0; i < size; i++) nop(ring, i, i < size - 1 ? IOSQE_IO_LINK : 0);
        assert.equal(ring.unsubmitted, size);
        assert.equal(ring.submit(), size);
        assert.equal(ring.unsubmitted, 0);
        // Some of what is linked is put off until the ring is entered again.
        const numbers = take(ring);
        while (numbers.length < size) {
          assert.equal(ring.submit(), 0);
          numbers.push(...take(ring));
        }
        assert.deepEqual(numbers, upTo(size));
      }
      assert.equal(ring.submit(), 0);
    });

    it('has no entry left when all are written, and has them back once they are submitted', () => {
      using ring = new Uring({ entries: 4, taskRun });
      for (let i = 0; i < 4; i++) nop(ring, i);
      assert.equal(ring.next(), -1);
      assert.equal(ring.submit(), 4);
      assert.notEqual(ring.next(), -1);
    });

    it('loses no completion that found no room', () => {
      using ring = new Uring({ entries: 4, completions: 4, taskRun });
      assert.equal(ring.completions, 4);
      const numbers: number[] = [];
      for (let i = 0; i < 12; i += 4) {
        for (let k = 0; k < 4; k++) nop(ring, i + k);
        assert.equal(ring.submit(), 4);
      }
      while (numbers.length < 12) {
        numbers.push(...take(ring));
        assert.ok(ring.submit() >= 0);
      }
      assert.deepEqual(numbers, upTo(12));
    });

    it('waits for completions, and no longer than it was told', () => {
      using ring = new Uring({ taskRun });
      nop(ring, 0);
      nop(ring, 1);
      assert.equal(ring.submitAndWait(2, 1e9), 2);
      assert.deepEqual(take(ring), upTo(2));
      const startNs = nowNs();
      assert.equal(ring.submitAndWait(1, 20e6), 0);
      const tookNs = nowNs() - startNs;
      assert.ok(tookNs >= 19e6 && tookNs < 1e9, `${tookNs} ns`);
    });
  });
}

describe('Uring', () => {
  it('runs in the cheapest way that this kernel has', () => {
    using ring = new Uring();
    assert.deepEqual([ring.taskRun, ring.reasons], ['deferred', []]);
  });

  it('has entries submitted by a thread of the kernel', () => {
    using ring = new Uring({ sqPollIdleMs: 10 });
    nop(ring, 7);
    assert.equal(ring.submit(), 1);
    for (const ended = nowNs() + 2e9; ring.peek() === 0; ) assert.ok(nowNs() < ended);
    assert.deepEqual(take(ring), [7]);
  });

  it('refuses sizes that are none', () => {
    assert.throws(() => new Uring({ entries: 0 }), /entries must be 1 to 32768, got 0/);
    assert.throws(() => new Uring({ entries: 1.5 }), RangeError);
    assert.throws(() => new Uring({ completions: 100_000 }), /completions must be 1 to 65536/);
  });

  it('can be opened and closed a thousand times, and leaves nothing behind', () => {
    const before = leakedFds().length;
    for (let i = 0; i < 1000; i++) {
      const ring = new Uring({ entries: 4 });
      nop(ring, i);
      ring.submit();
      ring.close();
      ring.close();
    }
    assert.equal(leakedFds().length, before);
  });
});
