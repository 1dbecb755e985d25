/**
 * Returns the middle of some values: what half of them do not exceed. NaN when there are none.
 *
 * @param values - in any order; left as they are
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}
