import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siblingUrl } from './siblingUrl.ts';

test('siblingUrl() keeps the extension of the module that asks', () => {
  assert.equal(
    siblingUrl('file:///a/src/lane/lane.ts', './laneWorker').href,
    'file:///a/src/lane/laneWorker.ts',
  );
  assert.equal(
    siblingUrl('file:///a/dist/lane/lane.js', './laneWorker').href,
    'file:///a/dist/lane/laneWorker.js',
  );
  assert.equal(siblingUrl('file:///a/b.d/lane.mjs', '../up').href, 'file:///a/up.mjs');
});

test('siblingUrl() ignores the query and the fragment of its base', () => {
  assert.equal(siblingUrl('file:///a/lane.ts?v=1.js#x.mjs', './laneWorker').href, 'file:///a/laneWorker.ts');
});

test('siblingUrl() keeps the escapes of a path with spaces and percent signs', () => {
  assert.equal(siblingUrl('file:///a%20b/%25/lane.ts', './w').href, 'file:///a%20b/%25/w.ts');
});

test('siblingUrl() rejects a base that is no file with an extension', () => {
  for (const base of ['data:text/javascript,1', 'file:///a/lane', 'https://a/lane.ts']) {
    assert.throws(() => siblingUrl(base, './w'), TypeError, base);
  }
});
