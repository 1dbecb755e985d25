/**
 * Whether the u64 `a` is less than the u64 `b`; halves are int32.
 *
 * @hot
 */
export function isBelow(aLo: number, aHi: number, bLo: number, bHi: number): boolean {
  return aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi >>> 0 < bHi >>> 0;
}
