import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Assembler } from './assembler.ts';
import { placeOf } from './assembly.ts';
import { decode, encode, SLOT_LEN } from './instruction.ts';
import { type Register, r0, r1, r2, r3, r9, r10 } from './registers.ts';

/** Assembles one instruction, after label `back` and before label `on`; returns its bytes in groups of fields. */
function bytesOf(write: (a: Assembler) => void): string {
  const a = new Assembler();
  a.label('back');
  write(a);
  a.exit();
  a.label('on');
  a.exit();
  const code = Buffer.from(a.assemble().code);
  const slots: string[] = [];
  for (let at = 0; at < code.length - 2 * SLOT_LEN; at += SLOT_LEN) {
    slots.push(code.toString('hex', at, at + SLOT_LEN).replace(/(..)(..)(....)(........)/, '$1 $2 $3 $4'));
  }
  return slots.join(' / ');
}

type ByOperand = (dst: Register, operand: Register | number) => void;
type Branch = (dst: Register, operand: Register | number, target: string) => void;

// RFC 9669 §4.1, table 4: the opcode of `dst op imm` in 64 bits; +8 with a register, -3 in 32 bits.
const arithmetic: Record<string, number> = {
  add: 0x07,
  sub: 0x17,
  mul: 0x27,
  div: 0x37,
  or: 0x47,
  and: 0x57,
  lsh: 0x67,
  rsh: 0x77,
  mod: 0x97,
  xor: 0xa7,
  mov: 0xb7,
  arsh: 0xc7,
};

// RFC 9669 §4.3, table 7: the opcode of `if dst op imm` in 64 bits; +8 with a register, +1 in 32 bits.
const branches: Record<string, number> = {
  jeq: 0x15,
  jgt: 0x25,
  jge: 0x35,
  jset: 0x45,
  jne: 0x55,
  jsgt: 0x65,
  jsge: 0x75,
  jlt: 0xa5,
  jle: 0xb5,
  jslt: 0xc5,
  jsle: 0xd5,
};

const hex = (opcode: number): string => opcode.toString(16).padStart(2, '0');

function method<T>(a: Assembler, name: string): T {
  const found = Reflect.get(a, name) as ((...args: unknown[]) => void) | undefined;
  assert.ok(found, `Assembler has no ${name}()`);
  return found.bind(a) as T;
}

test('Assembler encodes arithmetic as the tables of RFC 9669', () => {
  for (const [name, opcode] of Object.entries(arithmetic)) {
    const assemble = (suffix: string, operand: Register | number): string =>
      bytesOf((a) => method<ByOperand>(a, name + suffix)(r3, operand));
    assert.equal(assemble('', 5), `${hex(opcode)} 03 0000 05000000`, name);
    assert.equal(assemble('', r9), `${hex(opcode + 8)} 93 0000 00000000`, name);
    assert.equal(assemble('32', 5), `${hex(opcode - 3)} 03 0000 05000000`, `${name}32`);
    assert.equal(assemble('32', r9), `${hex(opcode + 5)} 93 0000 00000000`, `${name}32`);
  }
});

test('Assembler encodes conditional jumps as the tables of RFC 9669', () => {
  for (const [name, opcode] of Object.entries(branches)) {
    const assemble = (suffix: string, operand: Register | number): string =>
      bytesOf((a) => method<Branch>(a, name + suffix)(r3, operand, 'on'));
    assert.equal(assemble('', -5), `${hex(opcode)} 03 0100 fbffffff`, name);
    assert.equal(assemble('', r9), `${hex(opcode + 8)} 93 0100 00000000`, name);
    assert.equal(assemble('32', -5), `${hex(opcode + 1)} 03 0100 fbffffff`, `${name}32`);
    assert.equal(assemble('32', r9), `${hex(opcode + 9)} 93 0100 00000000`, `${name}32`);
  }
});

const encodings: readonly [string, (a: Assembler) => void][] = [
  // RFC 9669 §4.1
  ['37 03 0100 fdffffff', (a) => a.sdiv(r3, -3)],
  ['3f 13 0100 00000000', (a) => a.sdiv(r3, r1)],
  ['34 03 0100 fdffffff', (a) => a.sdiv32(r3, -3)],
  ['97 03 0100 03000000', (a) => a.smod(r3, 3)],
  ['9c 13 0100 00000000', (a) => a.smod32(r3, r1)],
  ['87 03 0000 00000000', (a) => a.neg(r3)],
  ['84 03 0000 00000000', (a) => a.neg32(r3)],
  ['bf 13 0800 00000000', (a) => a.movsx(8, r3, r1)],
  ['bf 13 1000 00000000', (a) => a.movsx(16, r3, r1)],
  ['bf 13 2000 00000000', (a) => a.movsx(32, r3, r1)],
  ['bc 13 0800 00000000', (a) => a.movsx32(8, r3, r1)],
  ['b4 03 0000 ffffffff', (a) => a.mov32(r3, 0xffffffff)],
  // §4.2
  ['d4 03 0000 10000000', (a) => a.le(16, r3)],
  ['dc 03 0000 20000000', (a) => a.be(32, r3)],
  ['dc 03 0000 40000000', (a) => a.be(64, r3)],
  ['d7 03 0000 40000000', (a) => a.bswap(64, r3)],
  // §4.3
  ['05 00 0100 00000000', (a) => a.ja('on')],
  ['05 00 ffff 00000000', (a) => a.ja('back')],
  ['06 00 0000 01000000', (a) => a.ja32('on')],
  ['85 00 0000 33000000', (a) => a.call(51)],
  ['85 10 0000 01000000', (a) => a.callLocal('on')],
  ['85 20 0000 00000000', (a) => a.callKernel('bpf_rdonly_cast', 'Linux 6.2')],
  ['95 00 0000 00000000', (a) => a.exit()],
  // §5.1, §5.2
  ['71 23 0c00 00000000', (a) => a.ldx('u8', r3, r2, 12)],
  ['69 23 0c00 00000000', (a) => a.ldx('u16', r3, r2, 12)],
  ['61 a3 fcff 00000000', (a) => a.ldx('u32', r3, r10, -4)],
  ['79 23 0000 00000000', (a) => a.ldx('u64', r3, r2)],
  ['91 23 0c00 00000000', (a) => a.ldx('s8', r3, r2, 12)],
  ['89 23 0c00 00000000', (a) => a.ldx('s16', r3, r2, 12)],
  ['81 23 0c00 00000000', (a) => a.ldx('s32', r3, r2, 12)],
  ['72 0a fcff 07000000', (a) => a.st('u8', r10, -4, 7)],
  ['6a 0a fcff 07000000', (a) => a.st('u16', r10, -4, 7)],
  ['62 0a fcff ffffffff', (a) => a.st('u32', r10, -4, 0xffffffff)],
  ['7a 0a f8ff ffffffff', (a) => a.st('u64', r10, -8, -1)],
  ['73 2a fcff 00000000', (a) => a.stx('u8', r10, -4, r2)],
  ['6b 2a fcff 00000000', (a) => a.stx('u16', r10, -4, r2)],
  ['63 2a fcff 00000000', (a) => a.stx('u32', r10, -4, r2)],
  ['7b 2a f8ff 00000000', (a) => a.stx('u64', r10, -8, r2)],
  // §5.3
  ['c3 21 0800 00000000', (a) => a.atomic('add', 'u32', r1, 8, r2)],
  ['db 21 0800 40000000', (a) => a.atomic('or', 'u64', r1, 8, r2)],
  ['db 21 0800 50000000', (a) => a.atomic('and', 'u64', r1, 8, r2)],
  ['db 21 0800 a0000000', (a) => a.atomic('xor', 'u64', r1, 8, r2)],
  ['db 21 0800 01000000', (a) => a.atomic('fetch_add', 'u64', r1, 8, r2)],
  ['db 21 0800 41000000', (a) => a.atomic('fetch_or', 'u64', r1, 8, r2)],
  ['db 21 0800 51000000', (a) => a.atomic('fetch_and', 'u64', r1, 8, r2)],
  ['c3 21 0800 a1000000', (a) => a.atomic('fetch_xor', 'u32', r1, 8, r2)],
  ['db 21 0800 e1000000', (a) => a.atomic('xchg', 'u64', r1, 8, r2)],
  ['c3 21 0800 f1000000', (a) => a.atomic('cmpxchg', 'u32', r1, 8, r2)],
  // §5.4
  ['18 03 0000 88776655 / 00 00 0000 44332211', (a) => a.lddw(r3, 0x1122334455667788n)],
  ['18 03 0000 feffffff / 00 00 0000 ffffffff', (a) => a.lddw(r3, -2)],
  ['18 03 0000 00000000 / 00 00 0000 01000000', (a) => a.lddw(r3, 2 ** 32)],
  ['18 03 0000 ffffffff / 00 00 0000 ffffffff', (a) => a.lddw(r3, 2n ** 64n - 1n)],
  ['18 13 0000 00000000 / 00 00 0000 00000000', (a) => a.ldMap(r3, 'flows')],
  ['18 23 0000 00000000 / 00 00 0000 08000000', (a) => a.ldMapValue(r3, 'flows', 8)],
];

test('Assembler encodes all other instructions as RFC 9669 says', () => {
  for (const [expected, write] of encodings) assert.equal(bytesOf(write), expected, write.toString());
});

const refusals: readonly [RegExp, (a: Assembler) => void][] = [
  [/Cannot write r10 at start\+1: the frame pointer is read-only/, (a) => a.mov(r10, 1)],
  [/Cannot write r10/, (a) => a.ldx('u8', r10, r1)],
  [
    /Cannot encode offset 32768 at start\+1: it must be an integer from -32768 to 32767/,
    (a) => a.ldx('u8', r0, r1, 32768),
  ],
  [/Cannot encode offset 0.5/, (a) => a.stx('u8', r1, 0.5, r0)],
  [/Cannot encode immediate 4294967295 .*load wider ones with lddw/, (a) => a.mov(r0, 0xffffffff)],
  [/Cannot encode immediate 2147483648/, (a) => a.jeq(r0, 2 ** 31, 'start')],
  [/Cannot encode immediate 4294967296/, (a) => a.mov32(r0, 2 ** 32)],
  [/Cannot encode immediate NaN/, (a) => a.jeq32(r0, Number.NaN, 'start')],
  [/Cannot encode immediate 4294967295/, (a) => a.st('u64', r1, 0, 0xffffffff)],
  [/Cannot encode shift 64/, (a) => a.lsh(r0, 64)],
  [/Cannot encode shift -1/, (a) => a.arsh32(r0, -1)],
  [/Cannot encode shift 32/, (a) => a.rsh32(r0, 32)],
  [/Cannot encode 64-bit immediate 9007199254740992/, (a) => a.lddw(r0, 2 ** 53)],
  [/Cannot encode 64-bit immediate 18446744073709551616/, (a) => a.lddw(r0, 2n ** 64n)],
  [/Cannot place label 'start' at #1: it is already at #0/, (a) => a.label('start')],
];

test('Assembler refuses what cannot be encoded, and says where', () => {
  for (const [message, write] of refusals) {
    const a = new Assembler();
    a.label('start');
    a.exit();
    assert.throws(() => write(a), { name: 'RangeError', message }, write.toString());
  }
});

test('assemble() refuses a jump to an unknown label', () => {
  const a = new Assembler();
  a.exit();
  a.ja('nowhere');
  assert.throws(() => a.assemble(), /Cannot jump from #1 to 'nowhere': there is no such label/);
});

test('assemble() refuses a jump to a label with no instruction after it', () => {
  const a = new Assembler();
  a.jeq(r0, 0, 'end');
  a.exit();
  a.label('end');
  assert.throws(() => a.assemble(), /Cannot jump from #0 to 'end': no instruction follows the label/);
});

test('a short jump reaches 32,767 slots and no further, a long one does', () => {
  const assemble = (jump: (a: Assembler) => void, distance: number): string => {
    const a = new Assembler();
    jump(a);
    for (let i = 0; i < distance; i++) a.mov(r0, 0);
    a.label('far');
    a.exit();
    return Buffer.from(a.assemble().code.subarray(0, SLOT_LEN)).toString('hex');
  };
  assert.equal(
    assemble((a) => a.ja('far'), 32767),
    '0500ff7f00000000',
  );
  assert.throws(
    () => assemble((a) => a.ja('far'), 32768),
    /Cannot jump from #0 to 'far': 32768 slots away, at most 32767 fit; use ja32\(\)/,
  );
  assert.equal(
    assemble((a) => a.ja32('far'), 32768),
    '0600000000800000',
  );
});

test('a jump over a 64-bit immediate counts its two slots', () => {
  const a = new Assembler();
  a.ja('over');
  a.lddw(r0, 1n);
  a.label('over');
  a.exit();
  assert.equal(decode(a.assemble().code, 0).offset, 2);
});

test('an Assembly keeps labels, comments and map references by slot, and survives a message to another thread', () => {
  const a = new Assembler();
  a.label('start');
  a.lddw(r1, 0);
  a.comment('the map');
  a.ldMap(r2, 'flows');
  a.label('end');
  a.exit();
  const assembly = structuredClone(a.assemble());
  assert.deepEqual(
    [...assembly.labels],
    [
      ['start', 0],
      ['end', 4],
    ],
  );
  assert.deepEqual([...assembly.comments], [[2, 'the map']]);
  assert.deepEqual(assembly.mapReferences, [{ slot: 2, map: 'flows' }]);
  assert.equal(placeOf(assembly.labels, 0), 'start');
  assert.equal(placeOf(assembly.labels, 3), 'start+3');
  assert.equal(placeOf(assembly.labels, 4), 'end');
  assert.equal(placeOf(new Map([['late', 9]]), 3), '#3');
});

test('an Assembler used after assemble() leaves the Assembly as it was', () => {
  const a = new Assembler();
  a.exit();
  const assembly = a.assemble();
  a.label('more');
  a.comment('more');
  a.ldMap(r1, 'more');
  assert.deepEqual([assembly.code.length, assembly.labels.size, assembly.comments.size], [SLOT_LEN, 0, 0]);
  assert.equal(assembly.mapReferences.length, 0);
});

test('decode() returns what encode() was given, for every instruction', () => {
  const instruction = fc.record(
    {
      opcode: fc.integer({ min: 0, max: 255 }),
      dst: fc.integer({ min: 0, max: 15 }),
      src: fc.integer({ min: 0, max: 15 }),
      offset: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
      immediate: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(instruction), (instructions) => {
      const code = encode(instructions);
      assert.deepEqual(
        instructions.map((_, slot) => decode(code, slot)),
        instructions,
      );
    }),
  );
});

test('assemble() tells which slots call functions of the kernel, and which', () => {
  const a = new Assembler();
  a.lddw(r1, 1);
  a.callKernel('bpf_xdp_metadata_rx_hash', 'Linux 6.3');
  a.callKernel('bpf_xdp_metadata_rx_vlan_tag', 'Linux 6.8');
  a.exit();
  assert.deepEqual(a.assemble().functionReferences, [
    { slot: 2, name: 'bpf_xdp_metadata_rx_hash', since: 'Linux 6.3' },
    { slot: 3, name: 'bpf_xdp_metadata_rx_vlan_tag', since: 'Linux 6.8' },
  ]);
});
