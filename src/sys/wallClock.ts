import { libc } from '../ffi/index.ts';
import { nowNs } from './clock.ts';
import { SystemError } from './error.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from './uapi/index.ts';

const TWO_32 = 2 ** 32;

/**
 * Tells the time of day from the monotonic clock, in halves: no number holds the nanoseconds since 1970.
 *
 * How far the two clocks are apart is asked once: times of one WallClock never run backwards, and know nothing of a
 * clock that was set since.
 */
export class WallClock {
  /** what {@link WallClock.stamp} left: nanoseconds since 1970-01-01 UTC, lower and upper half */
  readonly time: Uint32Array<ArrayBuffer> = new Uint32Array(2);
  /** the time of day when the monotonic clock was 0, lower and upper half */
  readonly #origin = new Float64Array(2);

  /**
   * Asks both clocks how far they are apart.
   *
   * @param originNs - the time of day when the monotonic clock was 0; asked for unless given [ns since 1970]
   * @throws SystemError when the kernel will not tell
   */
  constructor(originNs: bigint = askOrigin()) {
    this.#origin[0] = Number(originNs & 0xffff_ffffn);
    this.#origin[1] = Number(originNs >> 32n);
  }

  /**
   * Writes the time of now to {@link WallClock.time}.
   *
   * @hot one reading of the clock
   */
  stamp(): void {
    const now = nowNs();
    const upper = Math.floor(now / TWO_32);
    const lower = this.#origin[0]! + (now - upper * TWO_32);
    const carry = lower >= TWO_32 ? 1 : 0;
    this.time[0] = lower - carry * TWO_32;
    this.time[1] = this.#origin[1]! + upper + carry;
  }
}

function askOrigin(): bigint {
  const before = readClock(CLOCK_MONOTONIC);
  const wall = readClock(CLOCK_REALTIME);
  const after = readClock(CLOCK_MONOTONIC);
  return BigInt.asUintN(64, wall - (before + after) / 2n);
}

function readClock(clock: number): bigint {
  const timespec = new BigInt64Array(2);
  if (libc.clockGettime(clock, timespec) < 0) {
    throw new SystemError('Cannot read clock', { syscall: 'clock_gettime', subject: String(clock) });
  }
  return timespec[0]! * 1_000_000_000n + timespec[1]!;
}
