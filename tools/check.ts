import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allocationTable, judgeAllocation, runAllocationCases } from './allocation.ts';
import { callKey } from './countCalls.ts';
import { checkDocComments } from './docComments.ts';
import { checkIndexes, checkManifest } from './exports.ts';
import { checkHot, hotFunctions } from './hot.ts';
import { checkLayers } from './layers.ts';
import { checkCommands, checkLinks, commandVerbs, openPages, runSnippets } from './markdown.ts';
import { openSources, type Sources } from './sources.ts';

// The whole gate: `npm run check`, or some steps of it by name: `npm run check -- types docs`. One line for each
// step; what is wrong follows for those that failed, and the full report for those asked for by name.

/** What a step found. */
interface Outcome {
  readonly ok: boolean;
  /** A few words behind the step's time, such as `212 tests`. */
  readonly note?: string;
  /** The problems, or what a tool printed. */
  readonly report: string;
}

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const bin = (path: string): string => `${root}/node_modules/${path}`;

let parsed: Sources | undefined;
const sources = (): Sources => {
  parsed ??= openSources(root);
  return parsed;
};

const STEPS: Readonly<Record<string, () => Outcome | Promise<Outcome>>> = {
  format: () =>
    node(bin('@biomejs/biome/bin/biome'), 'check', '--linter-enabled=false', '--max-diagnostics=20'),
  lint: () => node(bin('@biomejs/biome/bin/biome'), 'lint', '--error-on-warnings', '--max-diagnostics=20'),
  types,
  layers: () => verdict(checkLayers(sources())),
  exports: () => verdict([...checkManifest(root), ...checkIndexes(sources())]),
  docs,
  hot: () => verdict(checkHot(hotFunctions(sources()))),
  unit,
  allocation,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in STEPS));
if (unknown.length > 0) {
  console.error(`Cannot check ${unknown.join(', ')}: the steps are ${Object.keys(STEPS).join(', ')}`);
  process.exit(2);
}

let failed = false;
for (const [name, run] of Object.entries(STEPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const start = performance.now();
  const { ok, note = '', report } = await run();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${ok ? '✓' : '✗'} ${name.padEnd(10)} ${seconds.padStart(6)} s  ${note}`.trimEnd());
  if (report !== '' && (!ok || asked.length > 0)) console.log(report.replace(/^(?=.)/gm, '    '));
  failed ||= !ok;
}
parsed?.[Symbol.dispose]();
process.exitCode = failed ? 1 : 0;

/** Runs Node with the given arguments and keeps what it prints. */
async function node(...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let report = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (report += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (report += text));
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  return { ok: code === 0, report: report.trim() };
}

function verdict(problems: readonly string[], note = ''): Outcome {
  return { ok: problems.length === 0, note, report: problems.join('\n') };
}

async function types(): Promise<Outcome> {
  const tsc = bin('typescript/bin/tsc');
  const [product, launcher] = await Promise.all([node(tsc, '-p', root), node(tsc, '-p', `${root}/bin`)]);
  return { ok: product.ok && launcher.ok, report: `${product.report}\n${launcher.report}`.trim() };
}

function docs(): Outcome {
  const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { scripts: object };
  const pages = openPages(root);
  const { ran, problems } = runSnippets(root, pages);
  const all = [
    ...checkDocComments(sources()),
    ...checkLinks(root, pages),
    ...checkCommands(pages, new Set(Object.keys(scripts)), commandVerbs(root)),
    ...problems,
  ];
  return verdict(all, `${pages.length} pages, ${ran} snippets run`);
}

async function unit(): Promise<Outcome> {
  const files = globSync(['src/**/*.test.ts', 'tools/**/*.test.ts', 'bench/**/*.test.ts'], {
    cwd: root,
  }).sort();
  const { ok, report } = await node('--test', '--test-reporter=spec', '--test-timeout=60000', ...files);
  const count = (what: string): number =>
    Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(report)?.[1] ?? 0);
  const skipped = count('skipped') === 0 ? '' : `, ${count('skipped')} skipped`;
  const [, failures = report] = report.split(/^✖ failing tests:$/m);
  return { ok, note: `${count('tests')} tests${skipped}`, report: ok ? '' : failures.trim() };
}

async function allocation(): Promise<Outcome> {
  const hot = hotFunctions(sources()).map(({ id, path, body, bound }) => {
    return { id, key: bound ? undefined : callKey(path, body.end) };
  });
  const files = await runAllocationCases(root);
  const problems = judgeAllocation(files, hot, process.env.REQUIRE_PRIVILEGED === '1');
  const cases = files.reduce((sum, { results }) => sum + results.length, 0);
  return {
    ok: problems.length === 0,
    note: `${cases} cases, ${hot.length} hot functions`,
    report: [allocationTable(files), ...problems].join('\n'),
  };
}
