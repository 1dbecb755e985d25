import { readFileSync } from 'node:fs';
import type { LoopSample } from '../lane/index.ts';
import { drawSweep, type SweepChart, type SweepDrawing, type SweepLine } from './drawSweep.ts';

/** What a sweep measured, and over what. */
export interface SweepPlot {
  /** such as `l2fwd on xdp:eth0` */
  readonly title: string;
  /** how it ran, and why weaker than asked */
  readonly notes: readonly string[];
  /** one for each burst */
  readonly samples: readonly LoopSample[];
}

const STYLE = `body { margin: 2em auto; width: 880px; font: 14px/1.5 system-ui, sans-serif; color: #222; background: #fff; }
h1 { font-size: 20px; margin: 0; }
p { margin: 0 0 1em; color: #555; white-space: pre-line; }
table { border-collapse: collapse; margin-top: 1.5em; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 14px 2px 0; text-align: right; font-weight: normal; }
th { color: #555; border-bottom: 1px solid #ccc; }
td:last-child, th:last-child { text-align: left; padding-left: 14px; }`;

/**
 * Draws a sweep as one HTML file: millions of frames a second over the burst, and what they cost and lost.
 *
 * The file holds the drawing library, the figures and a table of them, and loads nothing.
 */
export function renderSweepPlot({ title, notes, samples }: SweepPlot): string {
  const drawing: SweepDrawing = { bursts: samples.map(({ burst }) => burst), charts: chartsOf(samples) };
  return `<!doctype html>
<!--
The charts are drawn by uPlot, which is part of this file:

${asset('LICENSE')}
-->
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeText(title)}</title>
<style>${asset('dist/uPlot.min.css')}</style>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${escapeText(title)}</h1>
<p>${escapeText(notes.join('\n'))}</p>
${drawing.charts.map(({ id }) => `<div id="${id}"></div>`).join('\n')}
${tableOf(samples)}
<script>
${asset('dist/uPlot.iife.min.js')}
</script>
<script>
(${drawSweep})(uPlot, document, ${JSON.stringify(drawing)});
</script>
</body>
</html>
`;
}

function asset(path: string): string {
  return readFileSync(new URL(import.meta.resolve(`uplot/${path}`)), 'utf8').trim();
}

/** Lines that are zero all along are left out, and so is a chart without lines. */
function chartsOf(samples: readonly LoopSample[]): SweepChart[] {
  const lines = (values: Readonly<Record<string, (sample: LoopSample) => number>>): SweepLine[] =>
    Object.entries(values)
      .map(([name, read]) => ({ name, values: samples.map(read) }))
      .filter((line) => line.values.some((value) => value > 0));
  const rates = lines({ received: ({ rxPps }) => rxPps / 1e6, sent: ({ txPps }) => txPps / 1e6 });
  const costs = lines({
    'wake-ups': ({ wakeupsPerSecond = 0 }) => wakeupsPerSecond,
    drops: ({ dropsPerSecond }) => dropsPerSecond,
  });
  return [
    { id: 'rates', label: 'Mpps', height: 400, lines: rates },
    { id: 'costs', label: 'a second', height: 260, lines: costs },
  ].filter((chart) => chart.lines.length > 0);
}

function tableOf(samples: readonly LoopSample[]): string {
  const rows = samples.map(({ burst, rxPps, txPps, wakeupsPerSecond, dropsPerSecond, drops }) => [
    `${burst}`,
    (rxPps / 1e6).toFixed(3),
    (txPps / 1e6).toFixed(3),
    wakeupsPerSecond?.toFixed(0) ?? '-',
    dropsPerSecond.toFixed(0),
    Object.entries(drops)
      .map(([reason, count]) => `${reason} ${count}`)
      .join(', '),
  ]);
  const row = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  const header = row('th', ['burst', 'rx Mpps', 'tx Mpps', 'wake-ups/s', 'drops/s', 'lost']);
  return `<table>\n${[header, ...rows.map((cells) => row('td', cells))].join('\n')}\n</table>`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
