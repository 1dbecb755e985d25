import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BpfMap, type MapSpec, possibleCpus } from '../../src/bpf/index.ts';
import { requireRoot } from '../support/requirements.ts';

/** What `assert.throws` compares a SystemError with. */
const systemError = (code: string, message: RegExp): object => ({ name: 'SystemError', code, message });

const hash: MapSpec = { name: 'prices', type: 'hash', keyLen: 8, valueLen: 4, capacity: 2 };

test('BpfMap looks up what was written, and says when there is nothing', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const key = Uint32Array.of(1, 2);
  assert.equal(map.lookup(key), undefined);
  map.update(key, 7);
  assert.deepEqual(map.lookup(key), Uint8Array.of(7, 0, 0, 0));
  const out = new Uint32Array(1);
  assert.equal(map.lookup(key, out), out);
  assert.deepEqual(out, Uint32Array.of(7));
  assert.equal(map.delete(key), true);
  assert.equal(map.delete(key), false);
  assert.equal(map.lookup(key), undefined);
});

test('BpfMap.update() keeps to create and replace, and to the capacity', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const [first, second, third] = [Uint32Array.of(1, 0), Uint32Array.of(2, 0), Uint32Array.of(3, 0)];
  assert.throws(
    () => map.update(first, 1, 'replace'),
    systemError('ENOENT', /^Cannot write BPF map prices: ENOENT/),
  );
  map.update(first, 1, 'create');
  assert.throws(() => map.update(first, 2, 'create'), systemError('EEXIST', /prices/));
  map.update(first, 2, 'replace');
  map.update(second, 2);
  assert.throws(() => map.update(third, 3), systemError('E2BIG', /prices/));
});

test('BpfMap refuses keys and values of the wrong length before the kernel reads them', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const key = new Uint8Array(8);
  assert.throws(() => map.lookup(1), /Cannot use 4 bytes as key of BPF map prices: it has 8/);
  assert.throws(
    () => map.update(key, new Uint8Array(5)),
    /Cannot use 5 bytes as value of BPF map prices: it has 4/,
  );
  assert.throws(() => map.lookup(key, new Uint8Array(3)), /Cannot use 3 bytes as value/);
  assert.throws(() => map.update(key, -1), /Cannot use -1 as value of BPF map prices: it must be a u32/);
});

test('a per-CPU array holds a value for each possible CPU', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create({ name: 'counts', type: 'percpu_array', keyLen: 4, valueLen: 4, capacity: 3 });
  assert.equal(map.entryLen, 8 * possibleCpus());
  const written = new Uint32Array(2 * possibleCpus()).map((_, i) => (i % 2 === 0 ? i + 1 : 0));
  map.update(2, written);
  assert.deepEqual(map.lookup(2, new Uint32Array(written.length)), written);
  assert.throws(() => map.update(3, written), systemError('E2BIG', /Cannot write BPF map counts\[3\]/));
  assert.throws(() => map.delete(2), systemError('EINVAL', /Cannot delete BPF map counts\[2\]/));
});

test('a map that is closed cannot be used, and closing it again does nothing', (t) => {
  if (!requireRoot(t)) return;
  const map = BpfMap.create(hash);
  map.close();
  map.close();
  assert.throws(() => map.lookup(new Uint8Array(8)), /Cannot use BPF map prices: it is closed/);
});

test('BpfMap.create() refuses a name that the kernel would not take', (t) => {
  if (!requireRoot(t)) return;
  for (const name of ['', 'has space', 'sixteen_letters_', 'ümlaut']) {
    assert.throws(() => BpfMap.create({ ...hash, name }), TypeError, name);
  }
});
