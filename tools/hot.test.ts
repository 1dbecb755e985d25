import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHot, hotFunctions } from './hot.ts';
import { virtualSources } from './sources.ts';

test('hotFunctions() finds marked functions, bound functions, and methods that have a body', () => {
  using sources = virtualSources({
    'src/core/a.ts': `
      /** Hot. @hot */ export function f() {}
      /** Hot. @hot */ const g = () => 1;
      /** Hot. @hot */ export const read = libc.func('read');
      /** A table. */ export const table = make('hot');
      /** A ring. */ export class Ring {
        /** Hot. @hot one load */ peek() {}
        /** Hot. @hot */ get size() { return 1; }
        /** Cold. */ close() {}
      }
      /** A port. */ export interface Port { /** Hot. @hot */ rx(): number; }`,
    'src/core/a.test.ts': '/** Hot. @hot */ function t() {}',
  });
  const found = hotFunctions(sources);
  const ids = found.map(({ id }) => id);
  assert.deepEqual(ids, ['core/f', 'core/g', 'core/read', 'core/Ring.peek', 'core/Ring.size']);
  assert.deepEqual(
    found.filter(({ bound }) => bound).map(({ id }) => id),
    ['core/read'],
  );
});

const bad: Readonly<Record<string, string>> = {
  BigInt: 'return x + 1n;',
  'a closure': 'run(() => 1);',
  'for…of': 'for (const y of x) run(y);',
  'an exception': 'throw x;',
  'an exception handler': 'try { run(x); } finally { run(x); }',
  destructuring: 'const { a } = x;',
  'an object literal': 'return { x };',
  'an array literal': 'return [x];',
  new: 'return new Date();',
  'a spread': 'run(...x);',
  'a built string': ['return `', '{x}`;'].join('$'),
  subarray: 'return x.subarray(1);',
  getBigUint64: 'return x.getBigUint64(0);',
};

test('checkHot() names what hot code may not contain, and leaves cold code alone', () => {
  const functions = Object.values(bad).map(
    (body, i) => `/** Hot. @hot */ function f${i}(x: any) { ${body} }`,
  );
  const cold = Object.values(bad).map((body, i) => `/** Cold. */ function c${i}(x: any) { ${body} }`);
  using sources = virtualSources({ 'src/core/a.ts': [...functions, ...cold].join('\n') });
  const expected = Object.keys(bad).map(
    (what, i) => `src/core/a.ts:${i + 1}: Remove ${what} from hot core/f${i}`,
  );
  assert.deepEqual(checkHot(hotFunctions(sources)), expected);
});

test('checkHot() accepts loops, arithmetic and typed-array access', () => {
  const body =
    'let sum = 0; for (let i = 0; i < n; i++) sum = (sum + view[i]! + table.length) | 0; return sum;';
  using sources = virtualSources({
    'src/core/a.ts': `/** Hot. @hot */ function f(view: Uint8Array, table: Uint8Array, n: number) { ${body} }`,
  });
  assert.deepEqual(checkHot(hotFunctions(sources)), []);
});
