/** Bytes of one instruction slot; a 64-bit immediate load takes two. */
export const SLOT_LEN = 8;

/**
 * One instruction slot, field by field.
 *
 * ```
 *  0        1        2                 4                                   8
 *  +--------+----+----+-----------------+-----------------------------------+
 *  | opcode |src |dst | offset (s16)    | immediate (s32)                   |
 *  +--------+----+----+-----------------+-----------------------------------+
 * ```
 *
 * @source RFC 9669 §3.1, little-endian
 */
export interface Instruction {
  readonly opcode: number;
  /** 0 to 10 */
  readonly dst: number;
  /** 0 to 10, or a pseudo source */
  readonly src: number;
  /** int16 */
  readonly offset: number;
  /** int32 */
  readonly immediate: number;
}

/** Encodes instruction slots, little-endian. */
export function encode(instructions: readonly Instruction[]): Uint8Array {
  const code = new Uint8Array(instructions.length * SLOT_LEN);
  const view = new DataView(code.buffer);
  for (const [slot, instruction] of instructions.entries()) {
    const at = slot * SLOT_LEN;
    view.setUint8(at, instruction.opcode);
    view.setUint8(at + 1, (instruction.src << 4) | instruction.dst);
    view.setInt16(at + 2, instruction.offset, true);
    view.setInt32(at + 4, instruction.immediate, true);
  }
  return code;
}

/** Decodes the instruction slot `slot` of `code`. @throws RangeError beyond its end */
export function decode(code: Uint8Array, slot: number): Instruction {
  const view = new DataView(code.buffer, code.byteOffset + slot * SLOT_LEN, SLOT_LEN);
  const registers = view.getUint8(1);
  return {
    opcode: view.getUint8(0),
    dst: registers & 0xf,
    src: registers >> 4,
    offset: view.getInt16(2, true),
    immediate: view.getInt32(4, true),
  };
}
