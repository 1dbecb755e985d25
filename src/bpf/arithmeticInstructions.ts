import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_END,
  BPF_K,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_TO_BE,
  BPF_TO_LE,
  BPF_X,
  BPF_XOR,
} from '../sys/uapi/index.ts';
import type { Operand } from './instructionBuffer.ts';
import { InstructionBuffer } from './instructionBuffer.ts';
import type { Register } from './registers.ts';

/** RFC 9669 §4.1: offset 1 makes a division or remainder signed. */
const SIGNED = 1;

/**
 * Arithmetic, sign extension and byte order. In the doc comments `src` is the operand, register or immediate.
 *
 * @source RFC 9669 §4.1, §4.2
 */
export abstract class ArithmeticInstructions extends InstructionBuffer {
  /** dst += src. */
  add(dst: Register, operand: Operand): void {
    this.#alu64(BPF_ADD, dst, operand);
  }

  /** dst -= src. */
  sub(dst: Register, operand: Operand): void {
    this.#alu64(BPF_SUB, dst, operand);
  }

  /** dst *= src. */
  mul(dst: Register, operand: Operand): void {
    this.#alu64(BPF_MUL, dst, operand);
  }

  /** dst /= src, unsigned; by zero gives 0. */
  div(dst: Register, operand: Operand): void {
    this.#alu64(BPF_DIV, dst, operand);
  }

  /** dst |= src. */
  or(dst: Register, operand: Operand): void {
    this.#alu64(BPF_OR, dst, operand);
  }

  /** dst &= src. */
  and(dst: Register, operand: Operand): void {
    this.#alu64(BPF_AND, dst, operand);
  }

  /** dst ^= src. */
  xor(dst: Register, operand: Operand): void {
    this.#alu64(BPF_XOR, dst, operand);
  }

  /** dst %= src, unsigned; by zero keeps dst. */
  mod(dst: Register, operand: Operand): void {
    this.#alu64(BPF_MOD, dst, operand);
  }

  /** dst = src. */
  mov(dst: Register, operand: Operand): void {
    this.#alu64(BPF_MOV, dst, operand);
  }

  /** dst /= src, signed, toward zero; by zero gives 0. @since Linux 6.6 */
  sdiv(dst: Register, operand: Operand): void {
    this.#alu64(BPF_DIV, dst, operand, SIGNED);
  }

  /** dst %= src, signed; by zero keeps dst. @since Linux 6.6 */
  smod(dst: Register, operand: Operand): void {
    this.#alu64(BPF_MOD, dst, operand, SIGNED);
  }

  /** dst <<= src. */
  lsh(dst: Register, operand: Operand): void {
    this.#shift64(BPF_LSH, dst, operand);
  }

  /** dst >>= src, zeros from the left. */
  rsh(dst: Register, operand: Operand): void {
    this.#shift64(BPF_RSH, dst, operand);
  }

  /** dst >>= src, sign from the left. */
  arsh(dst: Register, operand: Operand): void {
    this.#shift64(BPF_ARSH, dst, operand);
  }

  /** dst = -dst. */
  neg(dst: Register): void {
    this.emit(BPF_ALU64 | BPF_NEG, this.writable(dst));
  }

  /** 32 bits, upper half zeroed: dst += src. */
  add32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_ADD, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst -= src. */
  sub32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_SUB, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst *= src. */
  mul32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_MUL, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst /= src, unsigned; by zero gives 0. */
  div32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_DIV, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst |= src. */
  or32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_OR, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst &= src. */
  and32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_AND, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst ^= src. */
  xor32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_XOR, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst %= src, unsigned; by zero keeps dst. */
  mod32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_MOD, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst = src. */
  mov32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_MOV, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst /= src, signed. @since Linux 6.6 */
  sdiv32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_DIV, dst, operand, SIGNED);
  }

  /** 32 bits, upper half zeroed: dst %= src, signed. @since Linux 6.6 */
  smod32(dst: Register, operand: Operand): void {
    this.#alu32(BPF_MOD, dst, operand, SIGNED);
  }

  /** 32 bits, upper half zeroed: dst <<= src. */
  lsh32(dst: Register, operand: Operand): void {
    this.#shift32(BPF_LSH, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst >>= src, zeros from the left. */
  rsh32(dst: Register, operand: Operand): void {
    this.#shift32(BPF_RSH, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst >>= src, sign from the left. */
  arsh32(dst: Register, operand: Operand): void {
    this.#shift32(BPF_ARSH, dst, operand);
  }

  /** 32 bits, upper half zeroed: dst = -dst. */
  neg32(dst: Register): void {
    this.emit(BPF_ALU | BPF_NEG, this.writable(dst));
  }

  /** Sign-extends the low `bits` of src into 64 bits of dst. @since Linux 6.6 */
  movsx(bits: 8 | 16 | 32, dst: Register, src: Register): void {
    this.emit(BPF_ALU64 | BPF_MOV | BPF_X, this.writable(dst), src.index, bits);
  }

  /** Sign-extends the low `bits` of src into 32 bits of dst, upper half zeroed. @since Linux 6.6 */
  movsx32(bits: 8 | 16, dst: Register, src: Register): void {
    this.emit(BPF_ALU | BPF_MOV | BPF_X, this.writable(dst), src.index, bits);
  }

  /** Converts the low `bits` of dst between host order and network order (big-endian), upper bits zeroed. */
  be(bits: 16 | 32 | 64, dst: Register): void {
    this.emit(BPF_ALU | BPF_END | BPF_TO_BE, this.writable(dst), 0, 0, bits);
  }

  /** Converts the low `bits` of dst between host order and little-endian, upper bits zeroed. */
  le(bits: 16 | 32 | 64, dst: Register): void {
    this.emit(BPF_ALU | BPF_END | BPF_TO_LE, this.writable(dst), 0, 0, bits);
  }

  /** Reverses the low `bits` of dst byte by byte, upper bits zeroed. @since Linux 6.6 */
  bswap(bits: 16 | 32 | 64, dst: Register): void {
    this.emit(BPF_ALU64 | BPF_END, this.writable(dst), 0, 0, bits);
  }

  #alu64(operation: number, dst: Register, operand: Operand, offset = 0): void {
    const opcode = BPF_ALU64 | operation;
    if (typeof operand === 'number') {
      this.emit(opcode | BPF_K, this.writable(dst), 0, offset, this.immediate64(operand));
    } else this.emit(opcode | BPF_X, this.writable(dst), operand.index, offset);
  }

  #alu32(operation: number, dst: Register, operand: Operand, offset = 0): void {
    const opcode = BPF_ALU | operation;
    if (typeof operand === 'number') {
      this.emit(opcode | BPF_K, this.writable(dst), 0, offset, this.immediate32(operand));
    } else this.emit(opcode | BPF_X, this.writable(dst), operand.index, offset);
  }

  #shift64(operation: number, dst: Register, operand: Operand): void {
    if (typeof operand === 'number') this.inRange('shift', operand, 0, 63);
    this.#alu64(operation, dst, operand);
  }

  #shift32(operation: number, dst: Register, operand: Operand): void {
    if (typeof operand === 'number') this.inRange('shift', operand, 0, 31);
    this.#alu32(operation, dst, operand);
  }
}
