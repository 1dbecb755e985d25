import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtExports, libraryFolders } from './exports.ts';
import { packedLinks } from './packedLinks.ts';

// `npm run build [-- DIR]`: writes the publishable package to DIR, by default dist/.
//
//   package.json   a manifest of its own: no Node to bring along, since the package is JavaScript for Node 24 and 26
//   bin/           the command, without the launcher
//   docs/          the README's pages; a link to a source leads to what became of it, one to what stays in the checkout
//                  (contributing, examples: Node strips no types in node_modules) is text
//   src/ bench/    JavaScript and declarations, in the folders of the sources: what they say of each other by
//                  relative path (workers, package.json, the C peers of the benchmarks) stays true

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const out = resolve(process.argv[2] ?? join(root, 'dist'));

const COMMAND = `#!/usr/bin/env node\nimport '../src/cli/main.js';\n`;

rmSync(out, { recursive: true, force: true });
compile();
write('bin/barewire.js', COMMAND);
chmodSync(join(out, 'bin/barewire.js'), 0o755);
write('package.json', `${JSON.stringify(manifest(), null, 2)}\n`);
const assets = globSync('{src,bench}/**/*.{c,h,json,html,css,md}', { cwd: root, exclude: ['bench/out/**'] });
for (const path of ['LICENSE', ...assets]) copy(path);
const pages = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })];
for (const path of pages) write(path, packedLinks(path, readFileSync(join(root, path), 'utf8'), isPacked));
console.log(`Built ${out}`);

function compile(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', out];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function manifest(): object {
  const source = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const { name, version, description, keywords, license, author, type, os, dependencies } = source;
  return {
    ...{ name, version, description, keywords, license, author, type, os },
    engines: { node: '>=24' },
    bin: { barewire: 'bin/barewire.js' },
    exports: builtExports(libraryFolders(root)),
    files: ['bin', 'src', 'bench', 'docs', 'CHANGELOG.md'],
    dependencies,
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
}

/** Whether the package has a file; pages are written after everything else. */
function isPacked(path: string): boolean {
  return pages.includes(path) || existsSync(join(out, path));
}

function copy(path: string): void {
  if (!existsSync(join(root, path))) return;
  mkdirSync(dirname(join(out, path)), { recursive: true });
  copyFileSync(join(root, path), join(out, path));
}
