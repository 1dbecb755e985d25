// The edge of the order folder: here, and only here, a u64 becomes a bigint or a string. Hot code keeps it as two
// int32 halves, `lo` and `hi`, which no engine has to box.

const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);
const MAX_U64 = 2n ** 64n - 1n;
const DECIMAL = /^(\d{1,12})(?:\.(\d{1,8}))?$/;

/**
 * Joins the two halves of a u64.
 *
 * @param lo - bits 0 to 31, as int32 or u32
 * @param hi - bits 32 to 63, as int32 or u32
 */
export function joinHalves(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/**
 * Returns bits 0 to 31 of a u64 as an int32.
 *
 * @throws RangeError when `value` is no u64
 */
export function lowHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, checkU64(value)));
}

/**
 * Returns bits 32 to 63 of a u64 as an int32.
 *
 * @throws RangeError when `value` is no u64
 */
export function highHalf(value: bigint): number {
  return Number(BigInt.asIntN(32, checkU64(value) >> 32n));
}

/**
 * Reads a price or a quantity as people write it: digits, and up to 8 more behind a point; `'101.25'`.
 *
 * @returns fixed-point with 8 decimals: `10_125_000_000n`
 * @throws RangeError when the text is anything else, or more than a u64 holds (184467440737.09551615)
 */
export function parseDecimal(text: string): bigint {
  const match = DECIMAL.exec(text);
  if (match !== null) {
    const value = BigInt(match[1]!) * SCALE + BigInt((match[2] ?? '').padEnd(DECIMALS, '0'));
    if (value <= MAX_U64) return value;
  }
  const limit = formatDecimal(MAX_U64);
  throw new RangeError(
    `Cannot parse a decimal: wanted 0 to ${limit} with up to ${DECIMALS} decimals, got "${text}"`,
  );
}

/**
 * Writes a fixed-point value with 8 decimals in its shortest exact form; the inverse of {@link parseDecimal}.
 *
 * Level totals, which may be larger than a u64, are written too.
 *
 * @param value - at least 0 [1e-8 units]
 * @throws RangeError when `value` is negative
 */
export function formatDecimal(value: bigint): string {
  if (value < 0n) throw new RangeError(`Cannot format a decimal: wanted at least 0, got ${value}`);
  const fraction = (value % SCALE).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
  return fraction === '' ? `${value / SCALE}` : `${value / SCALE}.${fraction}`;
}

function checkU64(value: bigint): bigint {
  if (value >= 0n && value <= MAX_U64) return value;
  throw new RangeError(`Cannot split into halves: wanted 0 to ${MAX_U64}, got ${value}`);
}
