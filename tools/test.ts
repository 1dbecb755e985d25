import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// `npm test`: the gate of `npm run check`, then every other test, one file at a time: they share the machine's cores
// and measure time. `npm run soak`: every test, those beside the sources too, with BAREWIRE_SOAK=1, which makes the
// property runs and the long tests run in full. Other arguments go to Node's test runner, such as a file's name.
//
// The last lines printed are the summary of Node's own test runner.

const root = fileURLToPath(new URL('..', import.meta.url));
const soak = process.argv.includes('--soak');
const rest = process.argv.slice(2).filter((argument) => argument !== '--soak');

/** A test that hangs fails after this long [ms]. */
const TIMEOUT_MS = soak ? 3_600_000 : 600_000;

const own = rest.filter((argument) => !argument.startsWith('-'));
const patterns = soak ? ['src/**/*.test.ts', 'test/**/*.test.ts'] : ['test/**/*.test.ts'];
const files = own.length > 0 ? own : globSync(patterns, { cwd: root }).sort();
const options = rest.filter((argument) => argument.startsWith('-'));

const gate = soak || own.length > 0 ? 0 : await node('tools/check.ts');
process.exitCode =
  gate ||
  (await node(
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=1',
    `--test-timeout=${TIMEOUT_MS}`,
    ...options,
    ...files,
  ));

/** Runs Node in the project's root and returns its exit code. */
function node(...args: readonly string[]): Promise<number> {
  const env = soak ? { ...process.env, BAREWIRE_SOAK: '1' } : process.env;
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('exit', (code) => resolve(code ?? 1));
  });
}
