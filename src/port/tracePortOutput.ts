import { closeSync, openSync, writeSync } from 'node:fs';
import { SystemError } from '../sys/index.ts';

const STDERR = 2;
const OWNER_ONLY = 0o600;
const LINE_END = 10;

/**
 * Standard error or a file, for the lines of a trace; a file that is there is overwritten.
 *
 * Written at once by whatever thread calls: in a lane, whose event loop does not turn, nothing else would get out. Who
 * reads standard error too slowly through a pipe loses lines, and is told how many. When it cannot be written any more, as
 * on a full disk, tracing is over: {@link TraceOutput.failure} says why.
 */
export class TraceOutput implements Disposable {
  /** `stderr`, or the path */
  readonly name: string;
  #fd: number;
  #lost = 0;
  /** the last line was cut short */
  #cut = false;
  #failure: SystemError | undefined;

  /**
   * Opens the file, for its owner alone where it is new.
   *
   * @param name - `stderr`, or a path
   * @throws TypeError for an empty name; SystemError when there can be no such file
   */
  constructor(name: string) {
    if (name === '') throw new TypeError('Cannot trace: want trace=stderr or trace=FILE');
    this.name = name;
    this.#fd = name === 'stderr' ? STDERR : openTrace(name);
  }

  /** Why tracing is over; undefined while it goes on. */
  get failure(): SystemError | undefined {
    return this.#failure;
  }

  /** Writes lines, each with its end. Never throws: the frames that they are about have passed. */
  readonly write = (lines: string): void => {
    if (this.#fd < 0 || this.#failure !== undefined) return;
    const note = this.#lost === 0 ? '' : `(${this.#lost} lines were lost: they are read too slowly)\n`;
    const head = Buffer.from(`${this.#cut ? '\n' : ''}${note}`);
    const bytes = Buffer.concat([head, Buffer.from(lines)]);
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
      this.#lost = 0;
    } catch (error) {
      const { code, errno = 0 } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') this.#giveUp(errno);
      const left = bytes.subarray(Math.max(at, head.length)).filter((byte) => byte === LINE_END).length;
      this.#lost = left + (at < head.length ? this.#lost : 0);
    }
    if (at > 0) this.#cut = bytes[at - 1] !== LINE_END;
  };

  /** Closes the file. Idempotent. */
  readonly close = (): void => {
    if (this.#fd > STDERR) closeSync(this.#fd);
    this.#fd = -1;
  };

  [Symbol.dispose](): void {
    this.close();
  }

  #giveUp(errno: number): void {
    this.#failure = new SystemError('Cannot write trace', {
      syscall: 'write',
      errno: -errno,
      subject: this.name,
    });
  }
}

function openTrace(path: string): number {
  try {
    return openSync(path, 'w', OWNER_ONLY);
  } catch (cause) {
    const { errno = 0 } = cause as NodeJS.ErrnoException;
    throw new SystemError('Cannot create trace', { syscall: 'open', errno: -errno, subject: path, cause });
  }
}
