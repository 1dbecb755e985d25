/** The rows of the tables below a heading of second rank, but for the head of the first. */
export function rowsBelow(text: string, heading: string): string[] {
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  return section
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
}

/** The names in backquotes in the first cell of each row. */
export function namesOf(rows: readonly string[]): string[] {
  return rows.flatMap((row) => Array.from(row.split('|')[1]!.matchAll(/`(\w+)`/g), ([, name]) => name!));
}
