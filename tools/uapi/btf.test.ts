import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Btf } from './btf.ts';

const STRUCT = 4;
const UNION = 5;
const ENUM = 6;
const TYPEDEF = 8;
const ENUM64 = 19;

/** Builds a BTF blob from types given as words; strings are named by their text. */
class Blob {
  readonly #types: number[] = [];
  #strings = '\0';

  text(value: string): number {
    if (value === '') return 0;
    const offset = this.#strings.length;
    this.#strings += `${value}\0`;
    return offset;
  }

  type(name: string, kind: number, flag: boolean, size: number, entries: number[][]): void {
    const info = ((flag ? 1 << 31 : 0) | (kind << 24) | entries.length) >>> 0;
    this.#types.push(this.text(name), info, size, ...entries.flat());
  }

  bytes(): Uint8Array {
    const types = Uint32Array.from(this.#types);
    const header = new DataView(new ArrayBuffer(24));
    header.setUint16(0, 0xeb9f, true);
    header.setUint8(2, 1);
    header.setUint32(4, 24, true);
    header.setUint32(12, types.byteLength, true);
    header.setUint32(16, types.byteLength, true);
    header.setUint32(20, this.#strings.length, true);
    const strings = new TextEncoder().encode(this.#strings);
    return Buffer.concat([Buffer.from(header.buffer), Buffer.from(types.buffer), strings]);
  }
}

function parse(build: (blob: Blob) => void): Btf {
  const blob = new Blob();
  build(blob);
  return new Btf(blob.bytes());
}

test('Btf refuses what is no BTF', () => {
  assert.throws(() => new Btf(new Uint8Array(64)), /^Error: Cannot read BTF: magic is 0, not eb9f$/);
});

test('Btf gives members of unnamed structs and unions to the struct around them', () => {
  const btf = parse((blob) => {
    blob.type('', UNION, false, 4, [
      [blob.text('a'), 2, 0],
      [blob.text('b'), 2, 0],
    ]);
    blob.type('u32', TYPEDEF, false, 0, []);
    blob.type('alias', TYPEDEF, false, 1, []);
    blob.type('outer', STRUCT, false, 12, [
      [blob.text('first'), 2, 0],
      [0, 3, 32],
      [blob.text('named'), 1, 64],
    ]);
  });
  const layout = btf.struct('outer');
  assert.equal(layout?.size, 12);
  assert.deepEqual(Object.fromEntries(layout.members), { first: 0, a: 4, b: 4, named: 8 });
  assert.deepEqual(Object.fromEntries(btf.part('outer', 'named')!.members), { a: 8, b: 8 });
  assert.deepEqual(Object.fromEntries(btf.part('outer', 'b')!.members), { a: 4, b: 4 });
  assert.equal(btf.part('outer', 'nobody'), undefined);
  assert.equal(btf.struct('nobody'), undefined);
});

test('Btf leaves bit fields out and keeps what stands behind them', () => {
  const btf = parse((blob) => {
    blob.type('u32', TYPEDEF, false, 0, []);
    blob.type('insn', STRUCT, true, 8, [
      [blob.text('code'), 1, 0],
      [blob.text('dst'), 1, (4 << 24) | 8],
      [blob.text('imm'), 1, 32],
    ]);
  });
  assert.deepEqual(Object.fromEntries(btf.struct('insn')!.members), { code: 0, imm: 4 });
});

test('Btf reads enumerators of 32 and 64 bits, signed and unsigned', () => {
  const btf = parse((blob) => {
    blob.type('small', ENUM, true, 4, [[blob.text('MINUS'), 0xffffffff]]);
    blob.type('', ENUM, false, 4, [[blob.text('TOP'), 0xffffffff]]);
    blob.type('wide', ENUM64, false, 8, [[blob.text('WIDE'), 7, 1]]);
    blob.type('signed', ENUM64, true, 8, [[blob.text('BELOW'), 0xfffffffe, 0xffffffff]]);
  });
  assert.equal(btf.enum('small')?.get('MINUS'), -1);
  assert.equal(btf.enumerator('TOP'), 0xffffffff);
  assert.equal(btf.enum('wide')?.get('WIDE'), 2 ** 32 + 7);
  assert.equal(btf.enumerator('BELOW'), -2);
  assert.equal(btf.enumerator('NOBODY'), undefined);
});

test('Btf refuses a kind that it cannot skip', () => {
  assert.throws(() => parse((blob) => blob.type('new', 31, false, 0, [])), /type 1 is of kind 31/);
});
