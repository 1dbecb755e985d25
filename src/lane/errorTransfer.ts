import { inspect } from 'node:util';
import { SystemError, UnsupportedError } from '../sys/index.ts';

/** An error as plain data, for the way from one thread to another. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** own properties beside those above, as far as they can be cloned: `code`, `errno`, `syscall`, … */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause: ErrorData | undefined;
}

/** Errors that come out as what they went in; any other is an Error of the same name. */
const classes: Readonly<Record<string, { readonly prototype: Error }>> = {
  SystemError,
  UnsupportedError,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  URIError,
  EvalError,
};

const RESERVED: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'cause']);
/** Longer chains of causes are cut, circular ones among them. */
const MAX_CAUSES = 8;

/**
 * Takes an error apart into data that `postMessage` carries whole.
 *
 * Structured cloning alone keeps an error's message and stack and drops `code`, `errno`, `syscall`, `subject`, `hint`
 * and the class. A thrown value that is no Error is put into one.
 */
export function describeError(thrown: unknown): ErrorData {
  return describe(thrown, MAX_CAUSES);
}

/** Builds the error again that {@link describeError} took apart, with the stack of the thread that threw it. */
export function reviveError(data: ErrorData): Error {
  const error = new Error(data.message);
  // Not through the constructors: theirs compose a message and look errno up, and this one is composed already.
  Object.setPrototypeOf(error, classes[data.name]?.prototype ?? Error.prototype);
  if (error.name !== data.name) hide(error, 'name', data.name);
  hide(error, 'stack', data.stack ?? `${data.name}: ${data.message}`);
  if (data.cause !== undefined) hide(error, 'cause', reviveError(data.cause));
  return Object.assign(error, data.fields);
}

function describe(thrown: unknown, causesLeft: number): ErrorData {
  const error =
    thrown instanceof Error ? thrown : new Error(`A value that is no Error was thrown: ${inspect(thrown)}`);
  const { name, message, stack, cause } = error;
  return {
    name: String(name),
    message: String(message),
    stack: typeof stack === 'string' ? stack : undefined,
    fields: Object.fromEntries(
      Object.entries(error).filter(([key, value]) => !RESERVED.has(key) && cloneable(value)),
    ),
    cause: cause === undefined || causesLeft === 0 ? undefined : describe(cause, causesLeft - 1),
  };
}

function cloneable(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

/** Sets a property as an Error has it of its own accord: not enumerable, so that printing it shows it once. */
function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
