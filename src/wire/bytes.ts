/** What a flyweight looks at before it has been wrapped around memory. */
export const emptyView: DataView = new DataView(new ArrayBuffer(0));

/** Returns `len` bytes of a view, in place. Allocates the array object: not for hot code. */
export function bytesAt(view: DataView, offset: number, len: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, len);
}

/**
 * Returns `value`, an integer field of `bits` bits.
 *
 * @throws RangeError - not an integer from 0 to 2^bits - 1
 */
export function checkedField(name: string, value: number, bits: number): number {
  const max = 2 ** bits - 1;
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new RangeError(`Cannot write ${name} ${value}: wanted an integer from 0 to ${max}`);
}
