import { BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from '../sys/uapi/index.ts';
import type { Assembly, FunctionReference, MapReference } from './assembly.ts';
import { placeOf } from './assembly.ts';
import type { Instruction } from './instruction.ts';
import { encode } from './instruction.ts';
import type { Register } from './registers.ts';
import { r10 } from './registers.ts';

/** Second operand of an instruction: a register, or an immediate of 32 bits. */
export type Operand = Register | number;

/** Where the distance to a label goes: the offset of a short jump, the immediate of a long one and of a call. */
type DistanceField = 'offset' | 'immediate';

interface Jump {
  readonly slot: number;
  readonly target: string;
  readonly field: DistanceField;
}

const distanceLimit: Record<DistanceField, number> = { offset: 2 ** 15, immediate: 2 ** 31 };

/** `LD | IMM | DW`: the only instruction of two slots. */
const WIDE_IMMEDIATE_LOAD = 0x18;

/**
 * The state of an {@link Assembler}: slots written so far, labels, comments, and what is resolved at the end.
 *
 * The families of instructions extend it, one file each; only they call its protected methods.
 */
export abstract class InstructionBuffer {
  readonly #slots: Instruction[] = [];
  readonly #labels = new Map<string, number>();
  readonly #comments = new Map<number, string>();
  readonly #jumps: Jump[] = [];
  readonly #mapReferences: MapReference[] = [];
  readonly #functionReferences: FunctionReference[] = [];

  /** Names the next instruction, as the target of jumps and local calls. @throws RangeError when the name is taken */
  label(name: string): void {
    if (this.#labels.has(name)) {
      throw new RangeError(
        `Cannot place label '${name}' at #${this.#slots.length}: it is already ${this.#at(name)}`,
      );
    }
    this.#labels.set(name, this.#slots.length);
  }

  /** Writes a comment beside the next instruction; listings and verifier errors show it. */
  comment(text: string): void {
    this.#comments.set(this.#slots.length, text);
  }

  /**
   * Resolves the labels and returns the program. The assembler may be used further afterwards.
   *
   * @throws RangeError when a label is unknown, has no instruction after it, or is too far away
   */
  assemble(): Assembly {
    const slots = [...this.#slots];
    for (const jump of this.#jumps) {
      slots[jump.slot] = { ...slots[jump.slot]!, [jump.field]: this.#distance(jump) };
    }
    return {
      code: encode(slots),
      mapReferences: [...this.#mapReferences],
      functionReferences: [...this.#functionReferences],
      labels: new Map(this.#labels),
      comments: new Map(this.#comments),
    };
  }

  /** Appends one slot. */
  protected emit(opcode: number, dst = 0, src = 0, offset = 0, immediate = 0): void {
    this.#slots.push({ opcode, dst, src, offset, immediate });
  }

  /** Appends a jump or local call whose distance to `target` is filled in by {@link assemble}. */
  protected emitJump(
    opcode: number,
    dst: number,
    src: number,
    immediate: number,
    target: string,
    field: DistanceField = 'offset',
  ): void {
    this.#jumps.push({ slot: this.#slots.length, target, field });
    this.emit(opcode, dst, src, 0, immediate);
  }

  /** Appends the two slots of a 64-bit immediate load. */
  protected emitWide(dst: Register, src: number, low: number, high: number): void {
    this.emit(WIDE_IMMEDIATE_LOAD, this.writable(dst), src, 0, low);
    this.emit(0, 0, 0, 0, high);
  }

  /** Appends a load of a map's address, or of the address of `valueOffset` in its first value. */
  protected emitMapLoad(dst: Register, map: string, valueOffset?: number): void {
    this.#mapReferences.push({ slot: this.#slots.length, map });
    if (valueOffset === undefined) this.emitWide(dst, BPF_PSEUDO_MAP_FD, 0, 0);
    else this.emitWide(dst, BPF_PSEUDO_MAP_VALUE, 0, valueOffset);
  }

  /** Appends a call whose immediate, the BTF id of the kernel's function `name`, is filled in at load. */
  protected emitKernelCall(opcode: number, name: string, since: string): void {
    this.#functionReferences.push({ slot: this.#slots.length, name, since });
    this.emit(opcode, 0, BPF_PSEUDO_KFUNC_CALL);
  }

  /** Returns the index of a register that may be written. */
  protected writable(dst: Register): number {
    if (dst.index === r10.index) this.#refuse('write r10', 'the frame pointer is read-only');
    return dst.index;
  }

  /** Returns `value` when it is an integer from `low` to `high`. */
  protected inRange(what: string, value: number, low: number, high: number, remedy = ''): number {
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    return this.#refuse(`encode ${what} ${value}`, `it must be an integer from ${low} to ${high}${remedy}`);
  }

  /** Returns an offset from a register. [bytes] */
  protected offset(value: number): number {
    return this.inRange('offset', value, -(2 ** 15), 2 ** 15 - 1);
  }

  /** Returns an immediate of a 32-bit operation, signed or unsigned, as the int32 that is encoded. */
  protected immediate32(value: number): number {
    return this.inRange('immediate', value, -(2 ** 31), 2 ** 32 - 1) | 0;
  }

  /** Returns an immediate of a 64-bit operation, which the machine sign-extends from 32 bits. */
  protected immediate64(value: number): number {
    return this.inRange('immediate', value, -(2 ** 31), 2 ** 31 - 1, ', load wider ones with lddw()');
  }

  #distance(jump: Jump): number {
    const { slot, target, field } = jump;
    const from = `jump from ${placeOf(this.#labels, slot)} to '${target}'`;
    const to = this.#labels.get(target);
    if (to === undefined) throw new RangeError(`Cannot ${from}: there is no such label`);
    if (to === this.#slots.length) throw new RangeError(`Cannot ${from}: no instruction follows the label`);
    const distance = to - slot - 1;
    const limit = distanceLimit[field];
    if (distance >= -limit && distance < limit) return distance;
    throw new RangeError(`Cannot ${from}: ${distance} slots away, at most ${limit - 1} fit; use ja32()`);
  }

  #at(label: string): string {
    return `at #${this.#labels.get(label)}`;
  }

  #refuse(action: string, reason: string): never {
    throw new RangeError(`Cannot ${action} at ${placeOf(this.#labels, this.#slots.length)}: ${reason}`);
  }
}
