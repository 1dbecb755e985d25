import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler } from './assembler.ts';
import { disassemble, formatSlot } from './disassemble.ts';
import { r0, r1, r2, r3, r9, r10 } from './registers.ts';

function textOf(write: (a: Assembler) => void): string {
  const a = new Assembler();
  write(a);
  a.label('on');
  a.exit();
  return formatSlot(a.assemble(), 0);
}

const texts: readonly [string, (a: Assembler) => void][] = [
  ['r3 += 5', (a) => a.add(r3, 5)],
  ['w3 += w9', (a) => a.add32(r3, r9)],
  ['r3 s>>= 5', (a) => a.arsh(r3, 5)],
  ['r3 = -r3', (a) => a.neg(r3)],
  ['w3 = -w3', (a) => a.neg32(r3)],
  ['r3 s/= 5', (a) => a.sdiv(r3, 5)],
  ['w3 s%= w2', (a) => a.smod32(r3, r2)],
  ['r3 = (s16)r2', (a) => a.movsx(16, r3, r2)],
  ['w3 = (s8)w2', (a) => a.movsx32(8, r3, r2)],
  ['r3 = be16 r3', (a) => a.be(16, r3)],
  ['r3 = le64 r3', (a) => a.le(64, r3)],
  ['r3 = bswap32 r3', (a) => a.bswap(32, r3)],
  ['goto on', (a) => a.ja('on')],
  ['gotol on', (a) => a.ja32('on')],
  ['if r3 s>= -5 goto on', (a) => a.jsge(r3, -5, 'on')],
  ['if w3 & w2 goto on', (a) => a.jset32(r3, r2, 'on')],
  ['call 51', (a) => a.call(51)],
  ['call on', (a) => a.callLocal('on')],
  ['call bpf_xdp_metadata_rx_hash', (a) => a.callKernel('bpf_xdp_metadata_rx_hash', 'Linux 6.3')],
  ['exit', (a) => a.exit()],
  ['r3 = *(u16 *)(r2 + 12)', (a) => a.ldx('u16', r3, r2, 12)],
  ['r3 = *(s32 *)(r10 - 4)', (a) => a.ldx('s32', r3, r10, -4)],
  ['*(u64 *)(r10 - 8) = 7', (a) => a.st('u64', r10, -8, 7)],
  ['*(u8 *)(r1 + 0) = r2', (a) => a.stx('u8', r1, 0, r2)],
  ['lock *(u32 *)(r1 + 8) |= w2', (a) => a.atomic('or', 'u32', r1, 8, r2)],
  ['r2 = atomic_fetch_add((u64 *)(r1 + 8), r2)', (a) => a.atomic('fetch_add', 'u64', r1, 8, r2)],
  ['w2 = xchg32_32(r1 + 8, w2)', (a) => a.atomic('xchg', 'u32', r1, 8, r2)],
  ['r0 = cmpxchg_64(r1 + 8, r0, r2)', (a) => a.atomic('cmpxchg', 'u64', r1, 8, r2)],
  ['r3 = 0x1122334455667788 ll', (a) => a.lddw(r3, 0x1122334455667788n)],
  ['r3 = map flows ll', (a) => a.ldMap(r3, 'flows')],
  ['r3 = map flows[0]+8 ll', (a) => a.ldMapValue(r3, 'flows', 8)],
];

test('formatSlot() writes instructions in the notation of the verifier', () => {
  for (const [expected, write] of texts) assert.equal(textOf(write), expected);
});

test('disassemble() lists labels, comments and distances, and one line for a 64-bit immediate', () => {
  const a = new Assembler();
  a.label('entry');
  a.lddw(r1, 255);
  a.label('loop');
  a.label('again');
  a.comment('until 0');
  a.jne(r1, 0, 'again');
  a.mov(r0, 2);
  a.exit();
  assert.equal(
    disassemble(a.assemble()),
    [
      'entry:',
      '    0: r1 = 0xff ll',
      'loop:',
      'again:',
      '    2: if r1 != 0 goto loop ; until 0',
      '    3: r0 = 2',
      '    4: exit',
      '',
    ].join('\n'),
  );
});

test('formatSlot() writes the distance of a jump to a place without a label', () => {
  const a = new Assembler();
  a.ja('on');
  a.exit();
  a.label('on');
  a.ja('on');
  const { code, ...rest } = a.assemble();
  const bare = { ...rest, code, labels: new Map<string, number>() };
  assert.equal(formatSlot(bare, 0), 'goto +1');
  assert.equal(formatSlot(bare, 2), 'goto -1');
});

test('formatSlot() names an opcode that it does not know', () => {
  const bare = { mapReferences: [], functionReferences: [], labels: new Map(), comments: new Map() };
  assert.equal(
    formatSlot({ ...bare, code: Uint8Array.of(0xf7, 0, 0, 0, 0, 0, 0, 0) }, 0),
    'unknown opcode 0xf7',
  );
  assert.equal(
    formatSlot({ ...bare, code: Uint8Array.of(0xe5, 0, 0, 0, 0, 0, 0, 0) }, 0),
    'unknown opcode 0xe5',
  );
  assert.equal(
    formatSlot({ ...bare, code: Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0, 0) }, 0),
    'unknown opcode 0x20',
  );
});
