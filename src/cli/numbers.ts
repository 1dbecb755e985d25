import { InvalidArgumentError } from 'commander';

/** Reads a whole number from 0 on, for an option of commander's. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** Reads a number above 0, for an option of commander's. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

/** Longest time of a timer. [s] */
const MAX_SECONDS = 2_147_483;

/** Reads a time above 0 that a timer can wait for, in seconds, for an option of commander's. */
export function timerSeconds(text: string): number {
  const value = positiveNumber(text);
  if (value > MAX_SECONDS) throw new InvalidArgumentError(`Give a number above 0, up to ${MAX_SECONDS}.`);
  return value;
}

/** Reads a port number, for an option of commander's. */
export function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1 || value > 65_535) throw new InvalidArgumentError('Give a port from 1 to 65535.');
  return value;
}
