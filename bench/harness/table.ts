import type { Figure } from './figure.ts';
import { formatNumber } from './formatNumber.ts';

const HEADER: readonly string[] = ['case', 'figure', 'ours', 'unit', 'peer', "peer's", 'ratio', 'to reach'];
const NUMERIC: readonly boolean[] = [false, false, true, false, false, true, true, false];

/** Writes results as an aligned table with a header; a column that nobody fills is left out. */
export function renderTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure, index) => {
    const before = figures[index - 1];
    return cells(figure, before?.case === figure.case, before?.figure === figure.figure);
  });
  const used = HEADER.map((_, column) => column < 4 || rows.some((row) => row[column] !== ''));
  const table = [HEADER, ...rows].map((row) => row.filter((_, column) => used[column]));
  const numeric = NUMERIC.filter((_, column) => used[column]);
  const widths = numeric.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) => {
      const padded = row.map((cell, column) => {
        return numeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
      });
      return padded.join('  ').trimEnd();
    })
    .join('\n');
}

/** What the row above says already is not said again. */
function cells(figure: Figure, sameCase: boolean, sameFigure: boolean): string[] {
  const { ours, unit, peer, ratio, verdicts } = figure;
  const repeated = sameCase && sameFigure;
  return [
    sameCase ? '' : figure.case,
    repeated ? '' : figure.figure,
    repeated ? '' : formatNumber(ours),
    repeated ? '' : unit,
    peer?.name ?? '',
    peer === null ? '' : formatNumber(peer.value),
    ratio === null ? '' : formatNumber(ratio),
    verdicts.map(({ met, text }) => `${met ? '✓' : '✗'} ${text}`).join('; '),
  ];
}
