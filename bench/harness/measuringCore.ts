import { allowedCores, pinThread } from '../../src/sys/index.ts';

/**
 * Pins the calling thread to the core where one thread is measured: the last one, since interrupts prefer the first.
 *
 * The calibration loop runs there too, because two virtual cores need not be equally fast at any time.
 */
export function pinToMeasuringCore(): void {
  pinThread(allowedCores().at(-1)!);
}
