/** A line of a chart, with a value for each burst. */
export interface SweepLine {
  readonly name: string;
  readonly values: readonly number[];
}

/** A chart of a sweep. */
export interface SweepChart {
  /** of the element of the page that it is drawn into */
  readonly id: string;
  /** of the upright axis */
  readonly label: string;
  /** [CSS pixels] */
  readonly height: number;
  readonly lines: readonly SweepLine[];
}

/** What is drawn. */
export interface SweepDrawing {
  /** powers of two, upwards [frames] */
  readonly bursts: readonly number[];
  readonly charts: readonly SweepChart[];
}

/** The constructor of uPlot, as far as it is called. */
export type ChartConstructor = new (
  options: object,
  data: readonly (readonly number[])[],
  target: unknown,
) => unknown;

/**
 * Draws the charts of a sweep, in the browser of whoever opens the file.
 *
 * NB: its source text goes into the page, so it may use nothing but its arguments and what every browser has.
 */
export function drawSweep(
  Chart: ChartConstructor,
  page: { getElementById(id: string): unknown },
  { bursts, charts }: SweepDrawing,
): void {
  const colours = ['#1f6fb4', '#d1622b'];
  const first = bursts[0]!;
  const last = bursts[bursts.length - 1]!;
  const write = (value: number | null): string =>
    value === null ? '' : value.toLocaleString('en-US', { maximumFractionDigits: 3 });
  const writeAll = (_chart: unknown, values: readonly number[]): string[] => values.map(write);
  for (const { id, label, height, lines } of charts) {
    const options = {
      width: 880,
      height,
      scales: {
        // Logarithmic, with half a step of room on both sides.
        x: { time: false, distr: 3, log: 2, range: () => [first / Math.SQRT2, last * Math.SQRT2] },
        y: { range: (_chart: unknown, _least: number, most: number) => [0, most * 1.1] },
      },
      axes: [
        {
          label: 'burst [frames]',
          splits: () => bursts,
          filter: (_chart: unknown, splits: readonly number[]) => splits,
          values: writeAll,
        },
        { label, size: 80, values: writeAll },
      ],
      series: [
        { label: 'burst', value: (_chart: unknown, burst: number | null) => write(burst) },
        ...lines.map(({ name }, i) => ({
          label: name,
          stroke: colours[i],
          width: 2,
          points: { show: true, size: 7 },
          value: (_chart: unknown, value: number | null) => write(value),
        })),
      ],
    };
    new Chart(options, [bursts, ...lines.map(({ values }) => values)], page.getElementById(id));
  }
}
