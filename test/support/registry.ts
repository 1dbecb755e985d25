import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findTool } from './debianTools.ts';
import { miss } from './requirements.ts';

// Other versions of Node and npm for the tests of launcher and package, through ordinary npm. They are kept in
// node_modules/.cache, so that a second run downloads nothing.

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/barewire/', import.meta.url));

/** What npm says when no registry answers; anything else is a failure of the test. */
const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED|ENEEDAUTH)\b/;

/** The Nodes that the launcher has to cope with, and the oldest that runs the built package. */
export const NODE_VERSIONS = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' } as const;

/**
 * An environment for child processes as if typed in a fresh shell with that Node: nothing of the npm that runs the
 * tests, and our own node_modules/.bin out of PATH.
 */
export function shellEnv(node: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS$|NODE_TEST_CONTEXT$|INIT_CWD$)/.test(name),
  );
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return { ...Object.fromEntries(kept), PATH: [join(node, '..'), ...path].join(delimiter) };
}

/** Asks for another Node. @returns its path, or undefined when no registry can be reached */
export function requireNode(t: TestContext, major: keyof typeof NODE_VERSIONS): string | undefined {
  const node = requirePackage(t, `node-linux-${process.arch}`, NODE_VERSIONS[major], 'bin/node');
  // NB: npm 10 fails without the folder of global packages, which it expects beside the bin/ of its Node.
  if (node !== undefined) mkdirSync(join(node, '../../lib'), { recursive: true });
  return node;
}

/** Asks for a version of npm. @returns the path of its npm-cli.js, or undefined when no registry can be reached */
export function requireNpm(t: TestContext, version: string): string | undefined {
  return requirePackage(t, 'npm', version, 'bin/npm-cli.js');
}

/** Installs packages with the npm on PATH. @returns false when no registry can be reached, after a skip */
export function requireInstall(t: TestContext, folder: string, ...specs: readonly string[]): boolean {
  const npm = findTool('npm');
  if (npm === undefined) return miss(t, 'needs npm on PATH');
  const args = ['install', '--prefix', folder, '--prefer-offline', '--no-audit', '--no-fund', ...specs];
  const { status, stdout, stderr } = spawnSync(npm, args, {
    cwd: folder,
    env: shellEnv(npm),
    encoding: 'utf8',
  });
  if (status === 0) return true;
  if (UNREACHABLE.test(stderr)) return miss(t, 'needs a package registry, and none can be reached');
  throw new Error(`Cannot install ${specs.join(' ')}: npm exit code ${status}\n${stdout}${stderr}`);
}

function requirePackage(t: TestContext, name: string, version: string, file: string): string | undefined {
  const home = join(CACHE, `${name}-${version}`);
  if (!existsSync(home)) {
    mkdirSync(CACHE, { recursive: true });
    const draft = mkdtempSync(`${home}-`);
    t.after(() => rmSync(draft, { recursive: true, force: true }));
    if (!requireInstall(t, draft, `${name}@${version}`)) return undefined;
    renameSync(draft, home);
  }
  return join(home, 'node_modules', name, file);
}
