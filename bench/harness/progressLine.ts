/** Shows `text` on a line of its own that the next call replaces, when standard error is a terminal; `''` clears it. */
export function progressLine(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
