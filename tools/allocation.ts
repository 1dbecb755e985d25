import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type AllocationResult, COUNTED_FRAMES, LIMIT, MAX_FRAMES_PER_CALL } from './allocationRun.ts';
import { callKey } from './countCalls.ts';

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

/** A function that a case has to cover, as `hotFunctions()` finds it. */
export interface CoveredFunction {
  /** `folder/name` */
  readonly id: string;
  /** {@link callKey} of the function; undefined when its calls cannot be counted. */
  readonly key: string | undefined;
}

/**
 * Returns one line for each case that failed or allocates, each `@hot` function that no case covers, each name that a
 * case covers and no `@hot` function has, and each function that a case covers but hardly calls.
 *
 * @param hot - every `@hot` function
 * @param strict - a skipped case is a problem too
 */
export function judgeAllocation(
  files: readonly AllocationFile[],
  hot: readonly CoveredFunction[],
  strict: boolean,
): string[] {
  const problems: string[] = [];
  const waiting = new Map(hot.map((one) => [one.id, one]));
  const known = new Map(waiting);
  for (const { path, results, error } of files) {
    if (error !== undefined) problems.push(`${path}: Mend this file: ${error}`);
    const folder = path.split('/', 2)[1];
    for (const result of results) {
      problems.push(...judgeResult(result, strict).map((problem) => `${path}: ${problem}`));
      for (const cover of result.covers) {
        const id = cover.includes('/') ? cover : `${folder}/${cover}`;
        const problem = judgeCover(known.get(id), result);
        if (problem !== undefined) problems.push(`${path}: ${problem.replace('%', cover)}`);
        waiting.delete(id);
      }
    }
  }
  for (const id of waiting.keys())
    problems.push(`${id}: Cover this @hot function in a case of an *.alloc.ts in its folder`);
  return problems;
}

function judgeResult({ name, bytes, skip }: AllocationResult, strict: boolean): string[] {
  if (bytes !== null && !(bytes < LIMIT)) {
    return [`Allocate less in "${name}": under ${LIMIT} byte per frame, not ${bytes.toFixed(3)}`];
  }
  return skip !== null && strict ? [`Run "${name}", which was skipped: ${skip}`] : [];
}

/** The problem with one name that a case covers; `%` stands for the name. */
function judgeCover(hot: CoveredFunction | undefined, result: AllocationResult): string | undefined {
  const { name, calls, skip } = result;
  if (hot === undefined) return `Remove % from what "${name}" covers: no such @hot function`;
  if (skip !== null || hot.key === undefined) return undefined;
  const wanted = COUNTED_FRAMES / MAX_FRAMES_PER_CALL;
  const got = calls[hot.key] ?? 0;
  if (got >= wanted) return undefined;
  return `Call % more often in "${name}": at least ${wanted} times in ${COUNTED_FRAMES} frames, not ${got}`;
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
  return [`allocation [bytes per frame], limit ${LIMIT}`, ...lines].join('\n');
}
