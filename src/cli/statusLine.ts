const NON_TTY_MS = 1000;

/**
 * One line on standard error that shows where long work stands.
 *
 * On a terminal it is rewritten in place; elsewhere a line a second, so that a log shows life without drowning.
 */
export class StatusLine {
  #shown = false;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Shows `text` in place of what was shown before. */
  show(text: string): void {
    const { stderr } = process;
    if (stderr.isTTY) {
      stderr.write(`\r\x1b[2K${text.slice(0, Math.max(20, stderr.columns - 1))}`);
      this.#shown = true;
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < NON_TTY_MS) return;
    this.#lastMs = nowMs;
    stderr.write(`${text}\n`);
  }

  /** Takes the line away again. */
  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[2K');
    this.#shown = false;
  }
}
