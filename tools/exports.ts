import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { SourceFile } from 'typescript/unstable/ast';
import { isExportDeclaration } from 'typescript/unstable/ast/is';
import { place, type Sources } from './sources.ts';

/** Folders that are programs, not libraries: no subpath leads to them. */
const PROGRAMS: readonly string[] = ['cli'];

/** The part of a package manifest that names what can be imported. */
export type ExportMap = Record<string, string | { types: string; default: string }>;

/** Returns the folders of src/ that are importable as `barewire/FOLDER`: those with an index.ts. */
export function libraryFolders(root: string): string[] {
  return readdirSync(`${root}/src`)
    .filter((folder) => !PROGRAMS.includes(folder) && existsSync(`${root}/src/${folder}/index.ts`))
    .sort();
}

/** The `exports` of the source checkout: subpaths mirror the folders. */
export function sourceExports(folders: readonly string[]): ExportMap {
  const map: ExportMap = {};
  for (const folder of folders) map[`./${folder}`] = `./src/${folder}/index.ts`;
  return { ...map, './package.json': './package.json' };
}

/** The `exports` of the built package: the same subpaths, JavaScript with declarations. */
export function builtExports(folders: readonly string[]): ExportMap {
  const map: ExportMap = {};
  for (const folder of folders) {
    map[`./${folder}`] = { types: `./src/${folder}/index.d.ts`, default: `./src/${folder}/index.js` };
  }
  return { ...map, './package.json': './package.json' };
}

/** Returns one line for each difference between package.json's exports and the folders of src/. */
export function checkManifest(root: string): string[] {
  const { exports } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { exports: ExportMap };
  const wanted = sourceExports(libraryFolders(root));
  const problems: string[] = [];
  for (const [key, target] of Object.entries(wanted)) {
    if (exports[key] !== target) problems.push(`package.json: Add "${key}": "${target}" to exports`);
  }
  for (const key of Object.keys(exports)) {
    if (!(key in wanted))
      problems.push(`package.json: Remove "${key}" from exports: no such folder with an index.ts`);
  }
  return problems;
}

/** Returns one line for each folder without an index.ts and each index.ts that breaks the house rule. */
export function checkIndexes({ files }: Sources): string[] {
  const problems: string[] = [];
  const folders = new Set<string>();
  for (const path of files.keys()) {
    const folder = /^src\/([^/]+)\//.exec(path)?.[1];
    if (folder !== undefined && !PROGRAMS.includes(folder)) folders.add(folder);
  }
  for (const folder of folders) {
    const path = `src/${folder}/index.ts`;
    const file = files.get(path);
    if (file === undefined)
      problems.push(`${path}: Add it: the folder's job in 10-30 lines, then its exports by name`);
    else problems.push(...checkIndex(path, file));
  }
  return problems;
}

function checkIndex(path: string, file: SourceFile): string[] {
  const problems: string[] = [];
  const comment = /^\/\*\*?[\s\S]*?\*\/|^(?:\/\/.*\n?)+/.exec(file.text.trimStart())?.[0].trimEnd();
  const lines = comment?.split('\n').length ?? 0;
  if (lines < 10 || lines > 30) problems.push(`${path}: Open with a comment of 10-30 lines, not ${lines}`);
  for (const statement of file.statements) {
    if (isExportDeclaration(statement) && statement.exportClause === undefined) {
      problems.push(`${place(path, file, statement)}: Export by name instead of *`);
    }
  }
  return problems;
}
