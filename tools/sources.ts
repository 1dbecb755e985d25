import type { Node, SourceFile } from 'typescript/unstable/ast';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';

/** The parsed TypeScript files of the project that the checkers read. */
export interface Sources {
  /** Parsed files by path relative to the root, such as `src/core/burst.ts`, sorted. */
  readonly files: ReadonlyMap<string, SourceFile>;
  [Symbol.dispose](): void;
}

/** Files beside the sources that are not part of the product: unit tests, allocation cases, contract suites. */
export const isTestFile = (path: string): boolean => /\.(test|alloc|contract)\.ts$/.test(path);

/** Files that a generator wrote; the rules for prose and style do not hold for them. */
export const isGenerated = (path: string): boolean => path.includes('/generated/');

/** Parses the files of the project at `root` (an absolute directory with a tsconfig.json). */
export function openSources(root: string): Sources {
  return parse(new API({ cwd: root }), root);
}

/** Parses files given as text by relative path: what the checkers' own tests use. */
export function virtualSources(files: Readonly<Record<string, string>>): Sources {
  const compilerOptions = { allowImportingTsExtensions: true, noEmit: true, noLib: true, types: [] };
  const tree: Record<string, string> = { '/v/tsconfig.json': JSON.stringify({ compilerOptions }) };
  for (const [path, text] of Object.entries(files)) tree[`/v/${path}`] = text;
  return parse(new API({ cwd: '/v', fs: createVirtualFileSystem(tree) }), '/v');
}

/** Calls `visit` with every node below `node`, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  node.forEachChild((child) => {
    visit(child);
    walk(child, visit);
  });
}

/** Returns `path:line` of a node, 1-based, as editors understand it. */
export function place(path: string, file: SourceFile, node: Node): string {
  return `${path}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}

function parse(api: API, root: string): Sources {
  const [project] = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] }).getProjects();
  if (project === undefined) throw new Error(`Cannot open the project in ${root}: no tsconfig.json`);
  const files = new Map<string, SourceFile>();
  for (const name of [...project.program.getSourceFileNames()].sort()) {
    if (!name.startsWith(`${root}/`) || name.includes('/node_modules/')) continue;
    const file = project.program.getSourceFile(name);
    if (file !== undefined) files.set(name.slice(root.length + 1), file);
  }
  return { files, [Symbol.dispose]: () => api.close() };
}
