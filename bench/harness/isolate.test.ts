import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Isolate } from './isolate.ts';

/** A module, as a URL, that serves with `answer`. */
function serving(answer: string): URL {
  const isolate = new URL('./isolate.ts', import.meta.url);
  const code = `
    import { workerData } from 'node:worker_threads';
    import { serve } from '${isolate}';
    serve(${answer});`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

test('Isolate answers questions one after the other, in one thread that keeps its state', async () => {
  const module = serving('((sum) => (question) => (sum += question))(workerData)');
  await using isolate = new Isolate<number, number>(module, 100);
  assert.equal(await isolate.ask(1), 101);
  assert.equal(await isolate.ask(10), 111);
});

test('Isolate passes on what its module throws, and from then on does so at once', async () => {
  await using isolate = new Isolate<number, number>(serving('() => { throw new Error("broken"); }'));
  await assert.rejects(isolate.ask(1), /broken/);
  await assert.rejects(isolate.ask(2), /broken/);
});

test('Isolate waits for an answer that is a promise, and passes on its rejection', async () => {
  const module = serving(
    'async (question) => { if (question < 0) throw new Error("broken"); return -question; }',
  );
  await using isolate = new Isolate<number, number>(module);
  assert.equal(await isolate.ask(1), -1);
  await assert.rejects(isolate.ask(-1), /broken/);
});

test('Isolate ends a thread that never answers', async () => {
  await using isolate = new Isolate<number, number>(serving('() => { while (true) {} }'));
  isolate.ask(1).catch(() => {});
});
