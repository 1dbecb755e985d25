import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_K,
  BPF_PSEUDO_CALL,
  BPF_X,
} from '../sys/uapi/index.ts';
import { ArithmeticInstructions } from './arithmeticInstructions.ts';
import type { Operand } from './instructionBuffer.ts';
import type { Register } from './registers.ts';

/**
 * Jumps, calls and exit. In the doc comments `src` is the operand, register or immediate; 64-bit comparisons
 * sign-extend an immediate, unsigned ones too.
 *
 * @source RFC 9669 §4.3
 */
export abstract class JumpInstructions extends ArithmeticInstructions {
  /** Jumps to `target`, up to 32,767 slots away. */
  ja(target: string): void {
    this.emitJump(BPF_JMP | BPF_JA, 0, 0, 0, target);
  }

  /** Jumps to `target`, however far. @since Linux 6.6 */
  ja32(target: string): void {
    this.emitJump(BPF_JMP32 | BPF_JA, 0, 0, 0, target, 'immediate');
  }

  /** Jumps to `target` when dst == src. */
  jeq(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JEQ, dst, operand, target);
  }

  /** Jumps to `target` when dst != src. */
  jne(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JNE, dst, operand, target);
  }

  /** Jumps to `target` when dst > src, unsigned. */
  jgt(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JGT, dst, operand, target);
  }

  /** Jumps to `target` when dst >= src, unsigned. */
  jge(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JGE, dst, operand, target);
  }

  /** Jumps to `target` when dst < src, unsigned. */
  jlt(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JLT, dst, operand, target);
  }

  /** Jumps to `target` when dst <= src, unsigned. */
  jle(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JLE, dst, operand, target);
  }

  /** Jumps to `target` when dst & src is not 0. */
  jset(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JSET, dst, operand, target);
  }

  /** Jumps to `target` when dst > src, signed. */
  jsgt(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JSGT, dst, operand, target);
  }

  /** Jumps to `target` when dst >= src, signed. */
  jsge(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JSGE, dst, operand, target);
  }

  /** Jumps to `target` when dst < src, signed. */
  jslt(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JSLT, dst, operand, target);
  }

  /** Jumps to `target` when dst <= src, signed. */
  jsle(dst: Register, operand: Operand, target: string): void {
    this.#branch64(BPF_JSLE, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst == src. */
  jeq32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JEQ, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst != src. */
  jne32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JNE, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst > src, unsigned. */
  jgt32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JGT, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst >= src, unsigned. */
  jge32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JGE, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst < src, unsigned. */
  jlt32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JLT, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst <= src, unsigned. */
  jle32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JLE, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst & src is not 0. */
  jset32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JSET, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst > src, signed. */
  jsgt32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JSGT, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst >= src, signed. */
  jsge32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JSGE, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst < src, signed. */
  jslt32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JSLT, dst, operand, target);
  }

  /** Jumps to `target` when, of the low 32 bits, dst <= src, signed. */
  jsle32(dst: Register, operand: Operand, target: string): void {
    this.#branch32(BPF_JSLE, dst, operand, target);
  }

  /** Calls a helper function: `BPF_FUNC_…`. Arguments in r1 to r5, result in r0, r1 to r5 are lost. */
  call(helper: number): void {
    this.emit(BPF_JMP | BPF_CALL, 0, 0, 0, this.immediate32(helper));
  }

  /** Calls the function at label `target` of this program. Registers as in {@link call}. */
  callLocal(target: string): void {
    this.emitJump(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, target, 'immediate');
  }

  /**
   * Calls the kernel's function `name` (a kfunc), which must be one of those that it lets programs of this kind call.
   * Registers as in {@link call}; of a result narrower than 64 bits the upper part is undefined.
   *
   * NB: the program must have a licence that is compatible with the GPL, such as `Dual MIT/GPL`.
   *
   * @param since - the first kernel that has it, for the error on one that does not: `Linux 6.3`
   * @since Linux 5.13
   */
  callKernel(name: string, since: string): void {
    this.emitKernelCall(BPF_JMP | BPF_CALL, name, since);
  }

  /** Returns r0 to the caller, or from the program. */
  exit(): void {
    this.emit(BPF_JMP | BPF_EXIT);
  }

  #branch64(operation: number, dst: Register, operand: Operand, target: string): void {
    const opcode = BPF_JMP | operation;
    if (typeof operand === 'number') {
      this.emitJump(opcode | BPF_K, dst.index, 0, this.immediate64(operand), target);
    } else this.emitJump(opcode | BPF_X, dst.index, operand.index, 0, target);
  }

  #branch32(operation: number, dst: Register, operand: Operand, target: string): void {
    const opcode = BPF_JMP32 | operation;
    if (typeof operand === 'number') {
      this.emitJump(opcode | BPF_K, dst.index, 0, this.immediate32(operand), target);
    } else this.emitJump(opcode | BPF_X, dst.index, operand.index, 0, target);
  }
}
