import type { Measurement, PeerMeasurement } from './benchCase.ts';
import { median } from './median.ts';
import { judge, type Target, type Verdict } from './target.ts';

/** A result: one figure of a case beside one peer, or beside none. */
export interface Figure {
  readonly case: string;
  /** What was measured: `p50`, `throughput`. */
  readonly figure: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly ours: number;
  readonly peer: { readonly name: string; readonly value: number } | null;
  /** Ours divided by the peer's. */
  readonly ratio: number | null;
  readonly rounds: number;
  /** Time of the calibration loop in these rounds over its reference time: 1.1 is a machine 10 % slower. */
  readonly calibration: number;
  /** The targets that this result was held against; our own stands with the first peer only. */
  readonly verdicts: readonly Verdict[];
}

/** Turns what a case measured into results: one for each figure and peer, one for a figure without peers. */
export function toFigures(name: string, measurements: readonly Measurement[], calibration: number): Figure[] {
  return measurements.flatMap((measurement) => {
    const { figure, unit, peers = [] } = measurement;
    const ours = median(measurement.ours);
    const rounds = measurement.ours.length;
    const own = verdicts(measurement.target, 'ours', ours, calibration);
    const beside = (peer: PeerMeasurement | undefined, index: number): Figure => {
      const value = peer === undefined ? null : median(peer.values);
      const ratio = value === null ? null : ours / value;
      return {
        ...{ case: name, figure, unit, ours },
        peer: peer === undefined || value === null ? null : { name: peer.name, value },
        ...{ ratio, rounds, calibration },
        verdicts: [...(index === 0 ? own : []), ...verdicts(peer?.target, 'ratio', ratio, calibration)],
      };
    };
    return peers.length === 0 ? [beside(undefined, 0)] : peers.map(beside);
  });
}

function verdicts(
  target: Target | undefined,
  what: 'ours' | 'ratio',
  value: number | null,
  calibration: number,
): Verdict[] {
  return target === undefined || value === null ? [] : [judge(target, what, value, calibration)];
}

/** Writes a result as one line of JSON. Its keys are a promise to whoever reads them: {@link Figure} less `verdicts`. */
export function toJsonLine({ verdicts: _, ...figure }: Figure): string {
  return JSON.stringify(figure, (_key, value: unknown) =>
    typeof value === 'number' && Number.isFinite(value) ? Number(value.toPrecision(6)) : value,
  );
}
