/** Which way a column is aligned: text to the left, numbers to the right. */
export type Alignment = 'left' | 'right';

/** Writes rows as aligned columns, two spaces apart, without trailing space. */
export function columns(rows: readonly (readonly string[])[], alignment: readonly Alignment[]): string {
  const widths = alignment.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          return alignment[column] === 'right'
            ? cell.padStart(widths[column]!)
            : cell.padEnd(widths[column]!);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Writes a whole number with separators: `1,234,567`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Writes nanoseconds in the unit that reads best: `870 ns`, `5.62 us`, `118 us`, `2.41 ms`. */
export function duration(ns: number): string {
  if (!Number.isFinite(ns)) return '-';
  const [value, unit] =
    ns < 1e3 ? [ns, 'ns'] : ns < 1e6 ? [ns / 1e3, 'us'] : ns < 1e9 ? [ns / 1e6, 'ms'] : [ns / 1e9, 's'];
  const decimals = unit === 'ns' || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(decimals)} ${unit}`;
}

/** Writes counts by reason: `badSide 3, tooShort 1`; `-` when there are none. */
export function reasons(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? '-' : some.map(([reason, count]) => `${reason} ${whole(count)}`).join(', ');
}
