import * as k from '../sys/uapi/index.ts';
import type { Assembly } from './assembly.ts';
import type { Instruction } from './instruction.ts';
import { decode, SLOT_LEN } from './instruction.ts';

/**
 * Returns a listing of a program in the notation of the kernel's verifier and of llvm-objdump, with labels, comments
 * and map names.
 */
export function disassemble(assembly: Assembly): string {
  const lines: string[] = [];
  const count = assembly.code.length / SLOT_LEN;
  for (let slot = 0; slot < count; slot++) {
    for (const [label, at] of assembly.labels) if (at === slot) lines.push(`${label}:`);
    lines.push(`${String(slot).padStart(5)}: ${formatSlot(assembly, slot)}`);
    if (decode(assembly.code, slot).opcode === WIDE_IMMEDIATE_LOAD) slot++;
  }
  return `${lines.join('\n')}\n`;
}

/** Returns the instruction at `slot` as text, with its comment: `if r2 > r8 goto truncated ; 14 bytes`. */
export function formatSlot(assembly: Assembly, slot: number): string {
  const text = formatInstruction(assembly, slot);
  const comment = assembly.comments.get(slot);
  return comment === undefined ? text : `${text} ; ${comment}`;
}

const WIDE_IMMEDIATE_LOAD = k.BPF_LD | k.BPF_IMM | k.BPF_DW;
const REGISTER_OPERAND = k.BPF_X;
const OPERATION = 0xf0;

const aluOperators: Readonly<Record<number, string>> = {
  [k.BPF_ADD]: '+=',
  [k.BPF_SUB]: '-=',
  [k.BPF_MUL]: '*=',
  [k.BPF_DIV]: '/=',
  [k.BPF_OR]: '|=',
  [k.BPF_AND]: '&=',
  [k.BPF_LSH]: '<<=',
  [k.BPF_RSH]: '>>=',
  [k.BPF_MOD]: '%=',
  [k.BPF_XOR]: '^=',
  [k.BPF_MOV]: '=',
  [k.BPF_ARSH]: 's>>=',
};

const comparisons: Readonly<Record<number, string>> = {
  [k.BPF_JEQ]: '==',
  [k.BPF_JGT]: '>',
  [k.BPF_JGE]: '>=',
  [k.BPF_JSET]: '&',
  [k.BPF_JNE]: '!=',
  [k.BPF_JSGT]: 's>',
  [k.BPF_JSGE]: 's>=',
  [k.BPF_JLT]: '<',
  [k.BPF_JLE]: '<=',
  [k.BPF_JSLT]: 's<',
  [k.BPF_JSLE]: 's<=',
};

const sizeBits: Readonly<Record<number, number>> = {
  [k.BPF_B]: 8,
  [k.BPF_H]: 16,
  [k.BPF_W]: 32,
  [k.BPF_DW]: 64,
};

const atomicNames: Readonly<Record<number, string>> = {
  [k.BPF_ADD]: 'add',
  [k.BPF_OR]: 'or',
  [k.BPF_AND]: 'and',
  [k.BPF_XOR]: 'xor',
};

function formatInstruction(assembly: Assembly, slot: number): string {
  const instruction = decode(assembly.code, slot);
  switch (instruction.opcode & 7) {
    case k.BPF_LD:
      return formatWide(assembly, slot, instruction);
    case k.BPF_LDX:
      return `r${instruction.dst} = ${memory(instruction, instruction.src)}`;
    case k.BPF_ST:
      return `${memory(instruction, instruction.dst)} = ${instruction.immediate}`;
    case k.BPF_STX:
      return formatStore(instruction);
    case k.BPF_ALU:
    case k.BPF_ALU64:
      return formatArithmetic(instruction);
    default:
      return formatJump(assembly, slot, instruction);
  }
}

function formatWide(assembly: Assembly, slot: number, { opcode, dst, src, immediate }: Instruction): string {
  if (opcode !== WIDE_IMMEDIATE_LOAD) return unknown(opcode);
  const high = decode(assembly.code, slot + 1).immediate;
  const map = assembly.mapReferences.find((reference) => reference.slot === slot)?.map;
  if (map !== undefined && src === k.BPF_PSEUDO_MAP_VALUE) return `r${dst} = map ${map}[0]+${high} ll`;
  if (map !== undefined) return `r${dst} = map ${map} ll`;
  const value = (BigInt(high >>> 0) << 32n) | BigInt(immediate >>> 0);
  return `r${dst} = 0x${value.toString(16)} ll`;
}

function formatStore(instruction: Instruction): string {
  const { opcode, dst, src, immediate } = instruction;
  if ((opcode & 0xe0) !== k.BPF_ATOMIC) return `${memory(instruction, dst)} = r${src}`;
  const wide = (opcode & 0x18) === k.BPF_DW;
  const value = `${wide ? 'r' : 'w'}${src}`;
  const address = `r${dst} ${signed(instruction.offset)}`;
  const bits = wide ? '64' : '32';
  const exchange = wide ? 'xchg_64' : 'xchg32_32';
  if (immediate === k.BPF_XCHG) return `${value} = ${exchange}(${address}, ${value})`;
  if (immediate === k.BPF_CMPXCHG) {
    const old = wide ? 'r0' : 'w0';
    return `${old} = cmp${exchange}(${address}, ${old}, ${value})`;
  }
  const operation = immediate & ~k.BPF_FETCH;
  if (immediate & k.BPF_FETCH) {
    return `${value} = atomic_fetch_${atomicNames[operation]}((u${bits} *)(${address}), ${value})`;
  }
  return `lock *(u${bits} *)(${address}) ${aluOperators[operation]} ${value}`;
}

function formatArithmetic(instruction: Instruction): string {
  const { opcode, dst, src, offset, immediate } = instruction;
  const wide = (opcode & 7) === k.BPF_ALU64;
  const prefix = wide ? 'r' : 'w';
  const target = `${prefix}${dst}`;
  const operation = opcode & OPERATION;
  if (operation === k.BPF_NEG) return `${target} = -${target}`;
  if (operation === k.BPF_END) {
    const order = wide ? 'bswap' : opcode & k.BPF_TO_BE ? 'be' : 'le';
    return `r${dst} = ${order}${immediate} r${dst}`;
  }
  const operator = aluOperators[operation];
  if (operator === undefined) return unknown(opcode);
  if (!(opcode & REGISTER_OPERAND)) return `${target} ${sign(operation, offset)}${operator} ${immediate}`;
  const operand = `${prefix}${src}`;
  if (operation === k.BPF_MOV && offset !== 0) return `${target} = (s${offset})${operand}`;
  return `${target} ${sign(operation, offset)}${operator} ${operand}`;
}

function formatJump(assembly: Assembly, slot: number, instruction: Instruction): string {
  const { opcode, dst, src, offset, immediate } = instruction;
  const wide = (opcode & 7) === k.BPF_JMP;
  const operation = opcode & OPERATION;
  if (operation === k.BPF_EXIT) return 'exit';
  if (operation === k.BPF_CALL) return `call ${calleeOf(assembly, slot, instruction)}`;
  if (operation === k.BPF_JA) {
    return wide ? `goto ${targetOf(assembly, slot, offset)}` : `gotol ${targetOf(assembly, slot, immediate)}`;
  }
  const comparison = comparisons[operation];
  if (comparison === undefined) return unknown(opcode);
  const prefix = wide ? 'r' : 'w';
  const operand = opcode & REGISTER_OPERAND ? `${prefix}${src}` : String(immediate);
  return `if ${prefix}${dst} ${comparison} ${operand} goto ${targetOf(assembly, slot, offset)}`;
}

function memory({ opcode, offset }: Instruction, base: number): string {
  const kind = (opcode & 0xe0) === k.BPF_MEMSX ? 's' : 'u';
  return `*(${kind}${sizeBits[opcode & 0x18]} *)(r${base} ${signed(offset)})`;
}

function calleeOf(assembly: Assembly, slot: number, { src, immediate }: Instruction): string {
  if (src === k.BPF_PSEUDO_CALL) return targetOf(assembly, slot, immediate);
  const reference = assembly.functionReferences.find((each) => each.slot === slot);
  return reference === undefined ? String(immediate) : reference.name;
}

/** The name of a jump's target where it has one, else the distance: `+3`. */
function targetOf(assembly: Assembly, slot: number, distance: number): string {
  for (const [label, at] of assembly.labels) if (at === slot + 1 + distance) return label;
  return distance < 0 ? String(distance) : `+${distance}`;
}

const sign = (operation: number, offset: number): string =>
  offset === 1 && (operation === k.BPF_DIV || operation === k.BPF_MOD) ? 's' : '';
const signed = (value: number): string => (value < 0 ? `- ${-value}` : `+ ${value}`);
const unknown = (opcode: number): string => `unknown opcode 0x${opcode.toString(16).padStart(2, '0')}`;
