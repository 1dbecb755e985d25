import { formatNumber } from './formatNumber.ts';

/** What a value has to reach, on the machine that the calibration loop was written on. */
export interface Target {
  readonly op: '<' | '<=' | '>=';
  /** In the figure's unit, or ours divided by the peer's. */
  readonly value: number;
  /** Whether the value is a speed, which a slower machine reaches less of; false by default. */
  readonly scaled?: boolean;
}

/** A target held against what was measured. */
export interface Verdict {
  readonly met: boolean;
  /** The target in words: `≤ 45, here 46.4`, `ratio ≤ 1/12`. */
  readonly text: string;
}

const SIGNS = { '<': '<', '<=': '≤', '>=': '≥' } as const;

/**
 * Says whether a value reaches its target.
 *
 * A scaled target moves with the machine's speed of this minute: a limit on time grows by the calibration, a rate to
 * reach shrinks by it.
 *
 * @param what - `ours` or `ratio`: which of the two `value` is
 * @param calibration - time of the calibration loop over its reference time
 */
export function judge(target: Target, what: 'ours' | 'ratio', value: number, calibration: number): Verdict {
  const factor = target.scaled === true ? calibration : 1;
  const limit = target.op === '>=' ? target.value / factor : target.value * factor;
  const met = target.op === '<' ? value < limit : target.op === '<=' ? value <= limit : value >= limit;
  const subject = what === 'ratio' ? 'ratio ' : '';
  const here = factor === 1 ? '' : `, here ${formatNumber(limit)}`;
  return { met, text: `${subject}${SIGNS[target.op]} ${spell(target.value)}${here}` };
}

/** A fraction of one reads best as it was meant: 1/12, not 0.0833. */
function spell(value: number): string {
  const inverse = Math.round(1 / value);
  const isFraction = value < 1 && inverse !== 10 && Math.abs(1 / value - inverse) < 1e-9;
  return isFraction ? `1/${inverse}` : String(value);
}
