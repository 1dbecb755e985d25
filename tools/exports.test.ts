import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { builtExports, checkIndexes, checkManifest, libraryFolders, sourceExports } from './exports.ts';
import { virtualSources } from './sources.ts';

const OPENING = `/**\n${' * A line.\n'.repeat(9)} */\n`;

test('sourceExports() and builtExports() offer the same subpaths', () => {
  const folders = ['ffi', 'xdp'];
  assert.deepEqual(sourceExports(folders)['./xdp'], './src/xdp/index.ts');
  const built = builtExports(folders)['./xdp'];
  assert.deepEqual(built, { types: './src/xdp/index.d.ts', default: './src/xdp/index.js' });
  assert.deepEqual(Object.keys(sourceExports(folders)), Object.keys(builtExports(folders)));
});

test('checkManifest() names missing and surplus subpaths, and leaves out programs', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'barewire-exports-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ['core', 'cli']) {
    mkdirSync(join(root, 'src', folder), { recursive: true });
    writeFileSync(join(root, 'src', folder, 'index.ts'), '');
  }
  const exports = { './gone': './src/gone/index.ts', './package.json': './package.json' };
  writeFileSync(join(root, 'package.json'), JSON.stringify({ exports }));
  assert.deepEqual(libraryFolders(root), ['core']);
  assert.deepEqual(checkManifest(root), [
    'package.json: Add "./core": "./src/core/index.ts" to exports',
    'package.json: Remove "./gone" from exports: no such folder with an index.ts',
  ]);
});

test('checkIndexes() accepts an opening of 10 to 30 lines and exports by name', () => {
  using sources = virtualSources({
    'src/core/index.ts': `${OPENING}export { a } from './a.ts';\nexport * as b from './a.ts';`,
    'src/core/a.ts': 'export const a = 1;',
    'src/cli/main.ts': '',
  });
  assert.deepEqual(checkIndexes(sources), []);
});

test('checkIndexes() rejects a missing index, a short or long opening, and export *', () => {
  using sources = virtualSources({
    'src/core/a.ts': '',
    'src/sys/index.ts': "/** Short. */\nexport * from './a.ts';",
    'src/wire/index.ts': '// line\n'.repeat(31),
    'src/xdp/index.ts': `import './a.ts';\n${OPENING}`,
  });
  assert.deepEqual(checkIndexes(sources), [
    "src/core/index.ts: Add it: the folder's job in 10-30 lines, then its exports by name",
    'src/sys/index.ts: Open with a comment of 10-30 lines, not 1',
    'src/sys/index.ts:2: Export by name instead of *',
    'src/wire/index.ts: Open with a comment of 10-30 lines, not 31',
    'src/xdp/index.ts: Open with a comment of 10-30 lines, not 0',
  ]);
});
