import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deferral, type DeferralHolder, restoreAll, setAll } from './deferralHolders.ts';
import { SystemError } from './error.ts';

const ENOENT = 2;
const EPERM = 1;
const wanted: Deferral = { deferHardIrqs: 2, groFlushTimeoutNs: 200_000 };

/** A holder that refuses when told to, and shows what it has. */
class FakeHolder implements DeferralHolder {
  readonly napiId: number;
  readonly was: Deferral;
  now: Deferral;
  refusal: number | undefined;

  constructor(napiId: number, refusal?: number) {
    this.napiId = napiId;
    this.was = { deferHardIrqs: napiId, groFlushTimeoutNs: 0 };
    this.now = this.was;
    this.refusal = refusal;
  }

  set(value: Deferral): void {
    if (this.refusal !== undefined) {
      throw new SystemError('Cannot change', {
        syscall: 'fake',
        errno: this.refusal,
        subject: `${this.napiId}`,
      });
    }
    this.now = value;
  }
}

test('setAll() sets every holder', () => {
  const holders = [new FakeHolder(1), new FakeHolder(2)];
  setAll(holders, wanted);
  assert.deepEqual(
    holders.map(({ now }) => now),
    [wanted, wanted],
  );
});

test('setAll() puts back what it had set when a later holder refuses', () => {
  const holders = [new FakeHolder(1), new FakeHolder(2), new FakeHolder(3, EPERM), new FakeHolder(4)];
  assert.throws(() => setAll(holders, wanted), /Cannot change 3: EPERM/);
  for (const { now, was } of holders) assert.deepEqual(now, was);
});

test('restoreAll() passes over a holder that is gone and restores the others', () => {
  const holders = [new FakeHolder(1), new FakeHolder(2), new FakeHolder(3)];
  setAll(holders, wanted);
  holders[1]!.refusal = ENOENT;
  restoreAll(holders);
  assert.deepEqual(holders[0]!.now, holders[0]!.was);
  assert.deepEqual(holders[2]!.now, holders[2]!.was);
});

test('restoreAll() restores all that it can before it throws a refusal', () => {
  const holders = [new FakeHolder(1), new FakeHolder(2), new FakeHolder(3)];
  setAll(holders, wanted);
  holders[1]!.refusal = EPERM;
  assert.throws(() => restoreAll(holders), /Cannot change 2: EPERM/);
  assert.deepEqual(holders[0]!.now, holders[0]!.was);
  assert.deepEqual(holders[2]!.now, holders[2]!.was);
});
