import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { TailPeer } from './tailPeer.ts';

const leftBehind = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('barewire-tail-'));

test('build() says that there is no compiler, and leaves nothing behind', () => {
  const before = leftBehind();
  assert.equal(TailPeer.build('no-such-compiler'), 'there is no C compiler (no-such-compiler)');
  assert.deepEqual(leftBehind(), before);
});

test('build() says that a compiler fails', () => {
  assert.equal(TailPeer.build('false'), 'false says exit code 1');
});
