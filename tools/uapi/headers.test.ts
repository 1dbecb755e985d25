import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evaluate, Headers } from './headers.ts';

const nothing = (): undefined => undefined;

function read(text: string): Headers {
  const headers = new Headers();
  headers.add('test.h', text);
  return headers;
}

test('evaluate() binds operators as C does', () => {
  assert.equal(evaluate('1 << 2 + 1', nothing), 8n);
  assert.equal(evaluate('1 | 2 & 3 ^ 1', nothing), 3n);
  assert.equal(evaluate('10 - 3 - 2', nothing), 5n);
  assert.equal(evaluate('-(2 + 3) * 4', nothing), -20n);
  assert.equal(evaluate('(1ULL << 48) - 1', nothing), 281474976710655n);
});

test('evaluate() knows octal, hexadecimal and suffixes', () => {
  assert.equal(evaluate('02000000', nothing), 0x80000n);
  assert.equal(evaluate('0xFFul', nothing), 255n);
  assert.equal(evaluate('~0U', nothing), 0xffffffffn);
  assert.equal(evaluate('~0', nothing), -1n);
});

test('evaluate() returns undefined for what is no integer constant', () => {
  for (const text of ['"text"', '_IOW(1, 2, int)', '1 +', '(1', '1 2', 'missing', 'sizeof(int)', '']) {
    assert.equal(evaluate(text, nothing), undefined, text);
  }
});

test('evaluate() agrees with JavaScript on generated expressions', () => {
  const number = fc.nat(1000).map(String);
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      number,
      fc
        .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '&', '|', '^'), tie('expression'))
        .map(([left, operator, right]) => `${left} ${operator} ${right}`),
      tie('expression').map((inner) => `(${inner})`),
    ),
  }));
  fc.assert(
    fc.property(expression, (text) => {
      const expected: unknown = new Function(`return ${text.replace(/\d+/g, '$&n')}`)();
      assert.equal(evaluate(text, nothing), expected);
    }),
  );
});

test('Headers reads macros with comments, continued lines and references to later ones', () => {
  const headers = read(
    '#define A /* one */ (B << 1) // x\n# define B \\\n  0x10\n#define C(x) x\n#define D A',
  );
  assert.equal(headers.value('A'), 32);
  assert.equal(headers.value('D'), 32);
  assert.equal(headers.value('C'), undefined);
  assert.equal(headers.source('A'), 'test.h');
});

test('Headers counts enumerators on from the last value', () => {
  const headers = read('enum x { P, Q = 5, R,\n#define R R\n S = Q + R, T, };');
  assert.deepEqual(
    ['P', 'Q', 'R', 'S', 'T'].map((name) => headers.value(name)),
    [0, 5, 6, 11, 12],
  );
});

test('Headers keeps the first of two definitions and gives up on one that leads back to itself', () => {
  const headers = read('#define A 1\n#define A 2\n#define X Y\n#define Y X');
  assert.equal(headers.value('A'), 1);
  assert.equal(headers.value('X'), undefined);
});
