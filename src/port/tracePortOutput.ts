import { closeSync, openSync, writeSync } from 'node:fs';

const STDERR = 2;

/**
 * Standard error or a file, for the lines of a trace; a file that is there is overwritten.
 *
 * Written at once by whatever thread calls: in a lane, whose event loop does not turn, nothing else would get out. Who
 * reads standard error too slowly through a pipe loses lines, and is told how many.
 */
export class TraceOutput implements Disposable {
  /** `stderr`, or the path */
  readonly name: string;
  #fd: number;
  #lost = 0;

  /** @param name - `stderr`, or a path; @throws Error when there can be no such file */
  constructor(name: string) {
    if (name === '') throw new TypeError('Cannot trace: want trace=stderr or trace=FILE');
    this.name = name;
    this.#fd = name === 'stderr' ? STDERR : openSync(name, 'w');
  }

  /** Writes lines, each with its end. */
  readonly write = (lines: string): void => {
    if (this.#fd < 0) return;
    const note = this.#lost === 0 ? '' : `(${this.#lost} lines were lost: they are read too slowly)\n`;
    try {
      writeAll(this.#fd, Buffer.from(note + lines));
      this.#lost = 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      this.#lost += lines.split('\n').length - 1;
    }
  };

  /** Closes the file. Idempotent. */
  readonly close = (): void => {
    if (this.#fd > STDERR) closeSync(this.#fd);
    this.#fd = -1;
  };

  [Symbol.dispose](): void {
    this.close();
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
