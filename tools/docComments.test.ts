import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocComments } from './docComments.ts';
import { virtualSources } from './sources.ts';

test('checkDocComments() names every kind of export without a doc comment', () => {
  using sources = virtualSources({
    'src/core/a.ts': [
      'export function f() {}',
      'export const c = 1;',
      'export type T = 1;',
      'export interface I {}',
      'export class C {}',
      'const later = 1;',
      'export { later };',
      '// not a doc comment',
      'export const plain = 1;',
      '/** @hot */',
      'export const onlyTags = 1;',
      '/** */',
      'export const empty = 1;',
    ].join('\n'),
  });
  assert.deepEqual(
    checkDocComments(sources),
    ['1: f', '2: c', '3: T', '4: I', '5: C', '6: later', '9: plain', '11: onlyTags', '13: empty'].map(
      (entry) => entry.replace(/(\d+): (.*)/, 'src/core/a.ts:$1: Add a doc comment to $2'),
    ),
  );
});

test('checkDocComments() asks for the public methods and accessors of exported classes only', () => {
  using sources = virtualSources({
    'src/core/a.ts': `/** Documented. */ export class C {
      constructor() {}
      open() {}
      get size() { return 1; }
      static of() {}
      #hidden() {}
      private secret() {}
      override toString() { return ''; }
      [Symbol.dispose]() {}
    }
    class Local { method() {} }`,
  });
  assert.deepEqual(checkDocComments(sources), [
    'src/core/a.ts:3: Add a doc comment to C.open',
    'src/core/a.ts:4: Add a doc comment to C.size',
    'src/core/a.ts:5: Add a doc comment to C.of',
  ]);
});

test('checkDocComments() takes one comment for a constant with its type and for overloads', () => {
  using sources = virtualSources({
    'src/core/a.ts': `/** The sides. */
      export const Side = { buy: 0 } as const;
      export type Side = 0;
      /** Adds. */
      export function add(a: number): number;
      export function add(a: string): number;
      export function add() { return 0; }`,
  });
  assert.deepEqual(checkDocComments(sources), []);
});

test('checkDocComments() leaves out test files, generated files and re-exports', () => {
  using sources = virtualSources({
    'src/core/a.test.ts': 'export const a = 1;',
    'src/sys/uapi/generated/a.ts': 'export const a = 1;',
    'src/core/index.ts': "export { a } from './a.test.ts';",
    'tools/a.ts': 'export const a = 1;',
  });
  assert.deepEqual(checkDocComments(sources), []);
});
