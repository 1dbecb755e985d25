import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type AllocationResult, LIMIT } from './allocationRun.ts';

/** The results of one `x.alloc.ts`, or why it gave none. */
export interface AllocationFile {
  /** Path relative to the root. */
  readonly path: string;
  readonly results: readonly AllocationResult[];
  readonly error?: string;
}

const RUNNER = fileURLToPath(new URL('./allocationRun.ts', import.meta.url));

/** Runs every `src/**\/*.alloc.ts` in a process of its own, as many at a time as there are cores: bytes, not time. */
export async function runAllocationCases(root: string): Promise<AllocationFile[]> {
  const waiting = globSync('src/**/*.alloc.ts', { cwd: root }).sort();
  const done: AllocationFile[] = [];
  const worker = async (): Promise<void> => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      done.push(await runFile(root, path));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return done.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function runFile(root: string, path: string): Promise<AllocationFile> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [RUNNER, join(root, path)], { cwd: root });
    return {
      path,
      results: stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as AllocationResult),
    };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return { path, results: [], error: (stderr || message).trimEnd() };
  }
}

/**
 * Returns one line for each case that failed or allocates, each `@hot` function that no case covers, and each name
 * that a case covers and no `@hot` function has.
 *
 * @param hot - `folder/name` of every `@hot` function
 * @param strict - a skipped case is a problem too
 */
export function judgeAllocation(
  files: readonly AllocationFile[],
  hot: readonly string[],
  strict: boolean,
): string[] {
  const problems: string[] = [];
  const covered = new Set<string>();
  for (const { path, results, error } of files) {
    if (error !== undefined) problems.push(`${path}: Mend this file: ${error}`);
    const folder = path.split('/', 2)[1];
    for (const { name, covers, bytes, skip } of results) {
      if (bytes !== null && !(bytes < LIMIT)) {
        problems.push(
          `${path}: Allocate less in "${name}": under ${LIMIT} byte per operation, not ${bytes.toFixed(3)}`,
        );
      }
      if (skip !== null && strict) problems.push(`${path}: Run "${name}", which was skipped: ${skip}`);
      for (const cover of covers) {
        const id = cover.includes('/') ? cover : `${folder}/${cover}`;
        if (!hot.includes(id))
          problems.push(`${path}: Remove ${cover} from what "${name}" covers: no such @hot function`);
        covered.add(id);
      }
    }
  }
  for (const id of hot) {
    if (!covered.has(id))
      problems.push(`${id}: Cover this @hot function in a case of an *.alloc.ts in its folder`);
  }
  return problems;
}

/** Renders the results as a table, one row for each case. */
export function allocationTable(files: readonly AllocationFile[]): string {
  const rows = files.flatMap(({ path, results }) => {
    return results.map(({ name, bytes, skip }) => [
      path.slice('src/'.length),
      name,
      bytes?.toFixed(3) ?? `skipped: ${skip}`,
    ]);
  });
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map(
    ([path, name, bytes]) => `${path!.padEnd(widths[0]!)}  ${name!.padEnd(widths[1]!)}  ${bytes}`,
  );
  return [`allocation [bytes per operation], limit ${LIMIT}`, ...lines].join('\n');
}
