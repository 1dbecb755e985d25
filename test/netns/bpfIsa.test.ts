import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Assembler,
  type Assembly,
  type AtomicOperation,
  BpfProgram,
  disassemble,
  type LoadSize,
  type MapSpec,
  type Operand,
  type Register,
  r0,
  r1,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  r8,
  r9,
  r10,
  type StoreSize,
} from '../../src/bpf/index.ts';
import { XDP_PASS, xdp_md } from '../../src/sys/uapi/index.ts';
import { requireRoot, requireSharedData, requireTool } from '../support/requirements.ts';

// The assembler's second and third opinion: the kernel runs the instruction tests of bpf_conformance as we assemble
// them, and llvm-objdump reads what we encode as we print it.

const REGISTERS: readonly Register[] = [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10];

// ---- The text form of bpf_conformance -------------------------------------------------------------------------------

interface Case {
  /** mnemonic and operands of each instruction, and labels */
  readonly lines: readonly string[];
  readonly memory: Uint8Array;
  readonly result: bigint;
}

function parseCase(text: string): Case {
  const sections = new Map<string, string[]>();
  let section: string[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    if (line.startsWith('-- ')) {
      section = [];
      sections.set(line.slice(3), section);
    } else if (line !== '') section.push(line);
  }
  const hex = (sections.get('mem') ?? []).join('').replaceAll(' ', '');
  return {
    lines: sections.get('asm') ?? [],
    memory: Uint8Array.from(Buffer.from(hex, 'hex')),
    result: BigInt(sections.get('result')?.[0] ?? 0),
  };
}

/** Calls a method of the assembler by name. */
function call(a: Assembler, name: string, ...args: unknown[]): void {
  const method: ((...args: unknown[]) => void) | undefined = Reflect.get(a, name);
  assert.ok(method, `Assembler has no ${name}()`);
  method.apply(a, args);
}

const sizes: Readonly<Record<string, StoreSize>> = { b: 'u8', h: 'u16', w: 'u32', dw: 'u64' };

/** Assembles the instructions that a pattern fits; `found` is the match, `target` makes a label of a jump's target. */
type Rule = readonly [RegExp, (a: Assembler, found: string[], target: (text: string) => string) => void];

/** The text form, operands without blanks around them. Tried in order. */
const RULES: readonly Rule[] = [
  [/^exit$/, (a) => a.exit()],
  [/^call local (\w+)$/, (a, [, label]) => a.callLocal(label!)],
  [/^call (\d+)$/, (a, [, helper]) => a.call(Number(helper))],
  [/^(ja|ja32) (\S+)$/, (a, [, name, to], target) => call(a, name!, target(to!))],
  [
    /^(j\w+) (\S+),(\S+),(\S+)$/,
    (a, [, name, dst, src, to], target) => call(a, name!, register(dst!), operand(src!), target(to!)),
  ],
  [/^lddw (\S+),(\S+)$/, (a, [, dst, value]) => a.lddw(register(dst!), BigInt(value!))],
  [
    /^movsx(8|16|32)(32|64) (\S+),(\S+)$/,
    (a, [, bits, width, dst, src]) =>
      call(a, width === '32' ? 'movsx32' : 'movsx', Number(bits), register(dst!), register(src!)),
  ],
  [/^(be|le)(16|32|64) (\S+)$/, (a, [, name, bits, dst]) => call(a, name!, Number(bits), register(dst!))],
  [/^b?swap(16|32|64) (\S+)$/, (a, [, bits, dst]) => call(a, 'bswap', Number(bits), register(dst!))],
  [
    /^ldx(s?)(b|h|w|dw) (\S+),\[(%r\d+)(\S*)\]$/,
    (a, [, sign, size, dst, base, offset]) =>
      a.ldx(
        sizes[size!]!.replace('u', sign || 'u') as LoadSize,
        register(dst!),
        register(base!),
        int(offset!),
      ),
  ],
  [
    /^(stx?)(b|h|w|dw) \[(%r\d+)(\S*)\],(\S+)$/,
    (a, [, name, size, base, offset, src]) =>
      call(a, name!, sizes[size!], register(base!), int(offset!), operand(src!)),
  ],
  [
    /^lock (fetch )?(\w+?)(32)? \[(%r\d+)(\S*)\],(\S+)$/,
    (a, [, fetch, name, narrow, base, offset, src]) => {
      const operation = `${fetch ? 'fetch_' : ''}${name}` as AtomicOperation;
      a.atomic(operation, narrow ? 'u32' : 'u64', register(base!), int(offset!), register(src!));
    },
  ],
  [/^(neg\w*) (\S+)$/, (a, [, name, dst]) => call(a, name!, register(dst!))],
  [/^(\w+) (\S+),(\S+)$/, (a, [, name, dst, src]) => call(a, name!, register(dst!), operand(src!))],
];

/** Assembles a line; `near` names the slot that lies so many slots behind the next one: targets may read `+1`. */
function assembleLine(a: Assembler, line: string, near: (distance: number) => string): void {
  const target = (text: string): string => (text.startsWith('+') ? near(int(text)) : text);
  for (const [pattern, assemble] of RULES) {
    const found = pattern.exec(line.replace(/\s*,\s*/g, ','));
    if (found) {
      assemble(a, found, target);
      return;
    }
  }
  assert.fail(`No rule for ${line}`);
}

const int = (text: string): number => Number(text.replace('+', ''));
const register = (text: string): Register => REGISTERS[Number(text.replace('%r', ''))]!;
/** The text form writes immediates as 32 bits, signed or not, whatever the width of the operation. */
const operand = (text: string): Operand => (text.startsWith('%') ? register(text) : Number(text) | 0);

/**
 * Wraps a test as a function of an XDP program: r1 is the test's memory (the frame), r2 its length, and what it
 * returns goes into a map, since a test run returns 32 bits only.
 */
function assembleCase({ lines, memory: { length } }: Case): Assembly {
  const a = new Assembler();
  a.mov(r4, r1);
  a.ldx('u32', r1, r4, xdp_md.data);
  a.ldx('u32', r3, r4, xdp_md.data_end);
  a.mov(r2, r1);
  a.add(r2, length);
  a.jgt(r2, r3, 'return');
  a.mov(r2, length);
  a.callLocal('test');
  a.ldMapValue(r1, 'result');
  a.stx('u64', r1, 0, r0);
  a.label('return');
  a.mov(r0, XDP_PASS);
  a.exit();
  a.label('test');
  const lastExit = lines.lastIndexOf('exit');
  let slot = 0;
  for (const [i, line] of lines.entries()) {
    if (line.endsWith(':')) {
      a.label(line.slice(0, -1));
      continue;
    }
    if (i === lastExit) a.label('exit');
    a.label(`slot${slot}`);
    slot += line.startsWith('lddw') ? 2 : 1;
    assembleLine(a, line, (distance) => `slot${slot + distance}`);
  }
  return a.assemble();
}

const resultMap: MapSpec = { name: 'result', type: 'array', keyLen: 4, valueLen: 8, capacity: 1 };

function run(testCase: Case): bigint {
  const spec = { name: 'isa', type: 'xdp', assembly: assembleCase(testCase), maps: [resultMap] } as const;
  using program = BpfProgram.load(spec);
  const frame = new Uint8Array(Math.max(14, testCase.memory.length));
  frame.set(testCase.memory);
  assert.equal(program.testRun({ frame }).returned, XDP_PASS);
  return program.map('result').lookup(0, new BigUint64Array(1))![0]!;
}

/** Shifts beyond the width, which the text form takes modulo the width; Linux refuses them, and so do we. */
const REFUSED: readonly string[] = ['arsh32-imm-neg.data', 'lsh32-imm-neg.data', 'lsh64-imm-neg.data'];

test('the kernel computes what bpf_conformance expects from the instructions that we assemble', (t) => {
  if (!requireRoot(t)) return;
  const data = requireSharedData(t);
  if (data === undefined) return;
  const folder = join(data, 'ebpf-isa');
  const files = readdirSync(folder).filter((name) => name.endsWith('.data'));
  assert.ok(files.length > 150, `${files.length} tests found`);
  for (const file of files) {
    const testCase = parseCase(readFileSync(join(folder, file), 'utf8'));
    if (REFUSED.includes(file)) assert.throws(() => run(testCase), /Cannot encode shift/, file);
    else assert.equal(run(testCase), BigInt.asUintN(64, testCase.result), file);
  }
});

// ---- llvm-objdump ---------------------------------------------------------------------------------------------------

const EM_BPF = 247;
const ELF_HEADER_LEN = 64;
const SECTION_HEADER_LEN = 64;

/** Returns an ELF object whose only content is `code`, as section `.text`. @source elf(5) */
function elfObject(code: Uint8Array): Uint8Array {
  const names = '\0.text\0.shstrtab\0';
  const namesAt = ELF_HEADER_LEN + code.length;
  const headersAt = namesAt + Math.ceil(names.length / 8) * 8;
  const file = Buffer.alloc(headersAt + 3 * SECTION_HEADER_LEN);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeUInt16LE(1, 16); // relocatable
  file.writeUInt16LE(EM_BPF, 18);
  file.writeUInt32LE(1, 20);
  file.writeUInt32LE(headersAt, 40);
  file.writeUInt16LE(ELF_HEADER_LEN, 52);
  file.writeUInt16LE(SECTION_HEADER_LEN, 58);
  file.writeUInt16LE(3, 60); // sections
  file.writeUInt16LE(2, 62); // the one with names
  file.set(code, ELF_HEADER_LEN);
  file.write(names, namesAt, 'latin1');
  const section = (
    index: number,
    name: string,
    type: number,
    flags: number,
    at: number,
    len: number,
  ): void => {
    const header = headersAt + index * SECTION_HEADER_LEN;
    file.writeUInt32LE(names.indexOf(name), header);
    file.writeUInt32LE(type, header + 4);
    file.writeUInt32LE(flags, header + 8);
    file.writeUInt32LE(at, header + 24);
    file.writeUInt32LE(len, header + 32);
    file.writeUInt32LE(8, header + 48);
  };
  section(1, '.text', 1, 6, ELF_HEADER_LEN, code.length); // PROGBITS, allocated, executable
  section(2, '.shstrtab', 3, 0, namesAt, names.length);
  return file;
}

/** Runs llvm-objdump on `code`; returns its line for each slot, in our notation. */
function llvmLines(objdump: string, code: Uint8Array): Map<number, string> {
  const folder = mkdtempSync(join(tmpdir(), 'bpf-'));
  try {
    const file = join(folder, 'program.o');
    writeFileSync(file, elfObject(code));
    // NB: without alu32 it knows no 32-bit instructions, with it it calls registers of narrow loads and stores w.
    const options = ['-d', '--no-show-raw-insn', '--mattr=+alu32', file];
    const { status, stdout, stderr } = spawnSync(objdump, options, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const lines = stdout.matchAll(/^ +(\d+):\t(.*?)(?: <\.text.*>)?$/gm);
    return new Map(Array.from(lines, ([, slot, text]) => [Number(slot), inOurNotation(text!)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const inOurNotation = (text: string): string =>
  text
    .replace(/^w(\d+) = \*/, 'r$1 = *')
    .replace(/^(\*\(.*) = w(\d+)$/, '$1 = r$2')
    .replace(/ = (-?\d+) ll$/, (_, value) => ` = 0x${BigInt.asUintN(64, BigInt(value)).toString(16)} ll`);

const anyRegister = fc.constantFrom(...REGISTERS.slice(0, 10));
const immediate = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const offset = fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 });
const anyOperand = fc.oneof(anyRegister, immediate);
const anySize = fc.constantFrom('u8', 'u16', 'u32', 'u64');
const names = (...all: string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...all, ...all.map((name) => `${name}32`));

/** Any instruction that LLVM 14 knows, as a call of the Assembler. */
const instruction: fc.Arbitrary<[string, ...unknown[]]> = fc.oneof(
  fc.tuple(names('add', 'sub', 'mul', 'div', 'or', 'and', 'xor', 'mov'), anyRegister, anyOperand),
  fc.tuple(names('lsh', 'rsh', 'arsh'), anyRegister, fc.oneof(anyRegister, fc.nat(31))),
  fc.tuple(names('neg'), anyRegister),
  fc.tuple(fc.constantFrom('be', 'le'), fc.constantFrom(16, 32, 64), anyRegister),
  fc.tuple(
    names('jeq', 'jne', 'jgt', 'jge', 'jlt', 'jle', 'jsgt', 'jsge', 'jslt', 'jsle'),
    ...[anyRegister, anyOperand, fc.constant('start')],
  ),
  fc.tuple(fc.constantFrom('ja', 'callLocal'), fc.constant('start')),
  fc.tuple(fc.constant('call'), fc.nat(200)),
  fc.tuple(fc.constant('ldx'), anySize, anyRegister, anyRegister, offset),
  fc.tuple(fc.constant('stx'), anySize, anyRegister, offset, anyRegister),
  fc.tuple(
    fc.constant('atomic'),
    fc.constantFrom('add', 'fetch_add', 'fetch_or', 'fetch_and', 'fetch_xor', 'xchg', 'cmpxchg'),
    ...[fc.constantFrom('u32', 'u64'), anyRegister, offset, anyRegister],
  ),
  fc.tuple(fc.constant('lddw'), anyRegister, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })),
  fc.tuple(fc.constant('exit')),
);

test('llvm-objdump reads what we assemble as we print it', (t) => {
  const objdump = requireTool(t, 'llvm-objdump');
  if (objdump === undefined) return;
  const seed = Date.now() | 0;
  const instructions = fc.sample(instruction, {
    seed,
    numRuns: process.env.BAREWIRE_SOAK === '1' ? 30_000 : 3000,
  });
  const a = new Assembler();
  for (const [i, [name, ...args]] of instructions.entries()) {
    if (i % 1000 === 0) a.label(`start${i}`);
    call(a, name, ...args.map((argument) => (argument === 'start' ? `start${i - (i % 1000)}` : argument)));
  }
  const assembly = { ...a.assemble(), labels: new Map<string, number>() };
  const theirs = llvmLines(objdump, assembly.code);
  const ours = disassemble(assembly).matchAll(/^ +(\d+): (.*)$/gm);
  for (const [, slot, text] of ours) assert.equal(text, theirs.get(Number(slot)), `seed ${seed}`);
  assert.equal(theirs.size, instructions.length);
});
