import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { builtExports, libraryFolders } from '../../tools/exports.ts';
import { checkLinks, parsePage } from '../../tools/markdown.ts';
import { findTool } from '../support/debianTools.ts';
import { requireInstall, requireNode, shellEnv } from '../support/registry.ts';
import { requireRoot, requireTool } from '../support/requirements.ts';

// Builds the package, packs it, installs it in a folder of its own with ordinary npm, and uses it from there as a
// stranger would, on both Nodes that it is for.

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'barewire-package-'));
const dist = join(folder, 'dist');
const consumer = join(folder, 'consumer');
after(() => rmSync(folder, { recursive: true, force: true }));

const folders = libraryFolders(root);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

function run(program: string, args: readonly string[], cwd: string) {
  return spawnSync(program, args, { cwd, env: shellEnv(program), encoding: 'utf8' });
}

/** Runs a program that has to succeed. @returns what it printed */
function output(program: string, args: readonly string[], cwd: string): string {
  const { status, signal, stdout, stderr } = run(program, args, cwd);
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${signal ?? status}\n${stdout}${stderr}`);
  return stdout;
}

/** The paths in the package. */
let paths: readonly string[] = [];

before(() => {
  output(process.execPath, [join(root, 'tools/build.ts'), dist], root);
  const npm = findTool('npm');
  assert.ok(npm !== undefined, 'npm is not on PATH');
  const report = output(npm, ['pack', '--json', '--silent', dist], folder);
  const [packed] = JSON.parse(report) as { files: { path: string }[] }[];
  paths = packed!.files.map(({ path }) => path);
});

let installed = false;

/** Installs the packed package once. @returns false after a skip */
function requirePackage(t: TestContext): boolean {
  if (installed) return true;
  cpSync(fileURLToPath(new URL('consumer', import.meta.url)), consumer, { recursive: true });
  writeFileSync(join(consumer, 'package.json'), '{"type":"module"}\n');
  installed = requireInstall(t, consumer, join(folder, `barewire-${version}.tgz`));
  return installed;
}

test('the package holds JavaScript, declarations and the papers, and nothing of tests or tools', () => {
  for (const path of ['package.json', 'LICENSE', 'CHANGELOG.md', 'bin/barewire.js', 'src/cli/main.js']) {
    assert.ok(paths.includes(path), `${path} is missing`);
  }
  const strangers = paths.filter((path) =>
    /(^(test|tools)\/|launch|\.(test|alloc|contract)\.|(?<!\.d)\.ts$)/.test(path),
  );
  assert.deepEqual(strangers, []);
  assert.deepEqual(
    paths.filter((path) => /^src\/[^/]+\/index\.js$/.test(path)).sort(),
    folders.map((name) => `src/${name}/index.js`),
  );
});

test('every relative link of the packed papers leads to a file of the package', () => {
  const papers = paths.filter((path) => path.endsWith('.md'));
  assert.ok(papers.includes('README.md') && papers.includes('docs/xdp.md'));
  const pages = papers.map((path) => parsePage(path, readFileSync(join(dist, path), 'utf8')));
  assert.deepEqual(checkLinks(dist, pages), []);
  for (const { path, prose } of pages) {
    for (const [, target] of prose.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)) {
      const linked = normalize(join(path, '..', target!));
      assert.ok(paths.includes(linked), `${path} links to ${target}, which is not packed`);
    }
  }
  const readme = pages.find(({ path }) => path === 'README.md')!;
  assert.match(readme.prose, /\]\(docs\/xdp\.md\)/, 'the README still links to its pages');
});

test('the packed manifest brings no Node along and exports every folder', () => {
  const manifest = JSON.parse(readFileSync(join(dist, 'package.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(manifest.exports, builtExports(folders));
  assert.deepEqual(manifest.engines, { node: '>=24' });
  for (const key of ['private', 'scripts', 'devDependencies', 'optionalDependencies']) {
    assert.equal(key in manifest, false, `${key} is not for users`);
  }
});

test('the declarations type-check in a strict project of a user', (t) => {
  if (!requirePackage(t)) return;
  const types = join(consumer, 'types');
  mkdirSync(types, { recursive: true });
  const imports = folders.map(
    (name) => `import * as ${name}_ from 'barewire/${name}';\nexport { ${name}_ };\n`,
  );
  const wrong =
    "import { viewOf } from 'barewire/ffi';\n// @ts-expect-error: a view is no number\nexport const n: number = viewOf(0, 0);\n";
  writeFileSync(join(types, 'user.ts'), imports.join('') + wrong);
  const compilerOptions = {
    ...{ strict: true, noEmit: true, target: 'esnext', module: 'nodenext', skipLibCheck: false },
    ...{ lib: ['esnext'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  };
  writeFileSync(join(types, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.ts'] }));
  output(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', types], consumer);
});

for (const major of [24, 26] as const) {
  const requireMajor = (t: TestContext): string | undefined => {
    if (!requirePackage(t)) return undefined;
    return major === 26 ? process.execPath : requireNode(t, major);
  };

  test(`every subpath of the package imports on Node ${major}`, (t) => {
    const node = requireMajor(t);
    if (node === undefined) return;
    const counts = JSON.parse(output(node, ['subpaths.mjs'], consumer)) as Record<string, number>;
    assert.deepEqual(
      Object.keys(counts),
      folders.map((name) => `./${name}`),
    );
    for (const [subpath, count] of Object.entries(counts)) assert.ok(count > 0, `${subpath} exports nothing`);
  });

  test(`the package's command runs on Node ${major}`, (t) => {
    const node = requireMajor(t);
    if (node === undefined) return;
    assert.equal(output(node, ['node_modules/.bin/barewire', '--version'], consumer), `${version}\n`);
  });

  test(`the package starts a lane on Node ${major}`, (t) => {
    const node = requireMajor(t);
    if (node === undefined) return;
    assert.equal(output(node, ['lane.mjs'], consumer), '1000\n');
  });

  test(`the package's demo runs over AF_XDP on Node ${major}`, (t) => {
    const node = requireMajor(t);
    if (node === undefined || !requireRoot(t)) return;
    const args = ['node_modules/.bin/barewire', 'demo', '--json', '--rate', '5000', '--seconds', '2'];
    const result = JSON.parse(output(node, args, consumer).trimEnd().split('\n').at(-1)!) as {
      via: string;
      sent: number;
      received: number;
      lost: number;
    };
    assert.deepEqual({ via: result.via, sent: result.sent }, { via: 'xdp', sent: 10_000 });
    assert.equal(result.received + result.lost, result.sent);
    assert.ok(result.received > 0);
  });

  test(`the package's demo without AF_XDP names the command that has it, on Node ${major}`, (t) => {
    const node = requireMajor(t);
    if (node === undefined || !requireRoot(t)) return;
    const setpriv = requireTool(t, 'setpriv');
    if (setpriv === undefined) return;
    // Root without the right to make namespaces: the folder is readable for root alone.
    const args = ['--bounding-set=-sys_admin', node, 'node_modules/.bin/barewire', 'demo'];
    const out = output(setpriv, [...args, '--rate', '1000', '--seconds', '1'], consumer);
    assert.match(out, /^Not accelerated\. .*CAP_SYS_ADMIN/m);
    assert.match(out, /^With AF_XDP: sudo npx barewire demo$/m);
    assert.doesNotMatch(out, /npm start/);
  });
}
