import {
  BPF_ADD,
  BPF_AND,
  BPF_ATOMIC,
  BPF_B,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_FETCH,
  BPF_H,
  BPF_LDX,
  BPF_MEM,
  BPF_MEMSX,
  BPF_OR,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_XCHG,
  BPF_XOR,
} from '../sys/uapi/index.ts';
import { JumpInstructions } from './jumpInstructions.ts';
import type { Register } from './registers.ts';

/** What a store writes. */
export type StoreSize = 'u8' | 'u16' | 'u32' | 'u64';

/** What a load reads; signed ones are sign-extended (since Linux 6.6), the others zero-extended. */
export type LoadSize = StoreSize | 's8' | 's16' | 's32';

/** What an atomic instruction does to memory; `fetch_…`, `xchg` and `cmpxchg` return the old value. */
export type AtomicOperation =
  | 'add'
  | 'or'
  | 'and'
  | 'xor'
  | 'fetch_add'
  | 'fetch_or'
  | 'fetch_and'
  | 'fetch_xor'
  | 'xchg'
  | 'cmpxchg';

const loadModes: Record<LoadSize, number> = {
  u8: BPF_B | BPF_MEM,
  u16: BPF_H | BPF_MEM,
  u32: BPF_W | BPF_MEM,
  u64: BPF_DW | BPF_MEM,
  s8: BPF_B | BPF_MEMSX,
  s16: BPF_H | BPF_MEMSX,
  s32: BPF_W | BPF_MEMSX,
};

const atomicOperations: Record<AtomicOperation, number> = {
  add: BPF_ADD,
  or: BPF_OR,
  and: BPF_AND,
  xor: BPF_XOR,
  fetch_add: BPF_ADD | BPF_FETCH,
  fetch_or: BPF_OR | BPF_FETCH,
  fetch_and: BPF_AND | BPF_FETCH,
  fetch_xor: BPF_XOR | BPF_FETCH,
  xchg: BPF_XCHG,
  cmpxchg: BPF_CMPXCHG,
};

/**
 * Assembles BPF programs, one method per instruction of RFC 9669, with labels, comments and maps by name.
 *
 * Destination comes first; the second operand is a register or a number; jump targets are labels. What cannot be
 * encoded throws a RangeError at the line that asks for it.
 *
 * ```ts
 * const a = new Assembler();
 * a.ldx('u32', r2, r1, xdp_md.rx_queue_index);
 * a.jeq(r2, 0, 'drop');
 * a.mov(r0, XDP_PASS);
 * a.exit();
 * a.label('drop');
 * a.mov(r0, XDP_DROP);
 * a.exit();
 * const spec: ProgramSpec = { name: 'drop_queue_0', type: 'xdp', assembly: a.assemble() };
 * ```
 *
 * @source RFC 9669; Documentation/bpf/standardization/instruction-set.rst
 */
export class Assembler extends JumpInstructions {
  /** Loads: dst = *(size *)(base + offset). */
  ldx(size: LoadSize, dst: Register, base: Register, offset = 0): void {
    this.emit(BPF_LDX | loadModes[size], this.writable(dst), base.index, this.offset(offset));
  }

  /** Stores a register: *(size *)(base + offset) = src. */
  stx(size: StoreSize, base: Register, offset: number, src: Register): void {
    this.emit(BPF_STX | loadModes[size], base.index, src.index, this.offset(offset));
  }

  /** Stores an immediate, sign-extended for `u64`: *(size *)(base + offset) = immediate. */
  st(size: StoreSize, base: Register, offset: number, immediate: number): void {
    const value = size === 'u64' ? this.immediate64(immediate) : this.immediate32(immediate);
    this.emit(BPF_ST | loadModes[size], base.index, 0, this.offset(offset), value);
  }

  /**
   * Changes memory atomically with src; the operations that return the old value put it in src, `cmpxchg` in r0,
   * which also holds the value to compare with.
   *
   * @since Linux 5.12 for all but `add`
   */
  atomic(
    operation: AtomicOperation,
    size: 'u32' | 'u64',
    base: Register,
    offset: number,
    src: Register,
  ): void {
    const opcode = BPF_STX | BPF_ATOMIC | (size === 'u64' ? BPF_DW : BPF_W);
    this.emit(opcode, base.index, src.index, this.offset(offset), atomicOperations[operation]);
  }

  /** Loads 64 bits: an integer from -2^63 to 2^64 - 1; above 2^53 it must be a BigInt. Takes two slots. */
  lddw(dst: Register, value: number | bigint): void {
    const exact = typeof value === 'bigint' || Number.isSafeInteger(value);
    const bits = exact ? BigInt(value) : 0n;
    if (!exact || bits < -(2n ** 63n) || bits >= 2n ** 64n) {
      throw new RangeError(`Cannot encode 64-bit immediate ${value}: it must be an exact integer of 64 bits`);
    }
    this.emitWide(dst, 0, Number(BigInt.asIntN(32, bits)), Number(BigInt.asIntN(32, bits >> 32n)));
  }

  /** Loads the map named `map` of the program's spec, as helpers take it. Takes two slots. */
  ldMap(dst: Register, map: string): void {
    this.emitMapLoad(dst, map);
  }

  /**
   * Loads the address of `offset` in the only value of the array map named `map`. Takes two slots.
   *
   * @since Linux 5.2
   */
  ldMapValue(dst: Register, map: string, offset = 0): void {
    this.emitMapLoad(dst, map, this.immediate32(offset));
  }
}
