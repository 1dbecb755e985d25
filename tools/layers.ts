import type { Node, SourceFile } from 'typescript/unstable/ast';
import { isCallExpression, isNewExpression, isStringLiteral } from 'typescript/unstable/ast/is';
import { isTestFile, place, type Sources, walk } from './sources.ts';

/** The house of docs/architecture.md: a folder of src/ may import folders of lower layers, never up or sideways. */
const LAYERS: readonly (readonly string[])[] = [
  ['ffi'],
  ['core', 'wire', 'sys'],
  ['bpf', 'xdp', 'uring', 'memif', 'dpdk', 'packet', 'tap', 'nic'],
  ['port'],
  ['lane', 'net'],
  ['order', 'node', 'operate'],
  ['cli', 'dashboard'],
];

/** The exceptions, each with the folders that it may import beside the lower layers. */
const SIDEWAYS: Readonly<Record<string, readonly string[]>> = { sys: ['core'], xdp: ['bpf'] };

/** Folders that import nothing but themselves, not even from Node. */
const PURE: readonly string[] = ['core', 'wire'];

/** The packages of npm that a folder may load. The data path loads none but the FFI library. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = { ffi: ['koffi'], cli: ['commander', 'uplot'] };

/** Folders outside src/ that product code may import. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = { cli: ['bench'] };

/** What test files may import beside what their folder may. */
const FOR_TESTS = { packages: ['fast-check'], outside: ['test/support', 'tools'] } as const;

/** Returns one line for each import in src/ that breaks the order of layers. */
export function checkLayers({ files }: Sources): string[] {
  const problems: string[] = [];
  for (const [path, file] of files) {
    if (!path.startsWith('src/')) continue;
    if (layerOf(path) < 0) problems.push(`${path}: Name the layer of ${folderOf(path)} in tools/layers.ts`);
    for (const { specifier, at } of importsOf(path, file)) {
      const problem = judge(path, specifier);
      if (problem !== undefined) problems.push(`${at}: ${problem}`);
    }
  }
  return problems;
}

function judge(path: string, specifier: string): string | undefined {
  const from = folderOf(path);
  const test = isTestFile(path);
  if (specifier.startsWith('node:')) {
    const forbidden = PURE.includes(from) && !test;
    return forbidden ? `Remove ${specifier}: ${from} is pure and imports nothing` : undefined;
  }
  if (!specifier.startsWith('.')) {
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    const allowed = [...(PACKAGES[from] ?? []), ...(test ? FOR_TESTS.packages : [])];
    return allowed.includes(name) ? undefined : `Remove package ${name}: ${from} may load ${list(allowed)}`;
  }
  const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
  if (!target.startsWith('src/')) {
    const allowed = [...(OUTSIDE[from] ?? []), ...(test ? FOR_TESTS.outside : [])];
    if (allowed.some((folder) => target.startsWith(`${folder}/`))) return undefined;
    return `Remove ${target}: ${from} may import ${list(allowed)} from outside src`;
  }
  if (isTestFile(target) && !test) return `Remove ${target}: product code imports no test file`;
  const to = folderOf(target);
  if (PURE.includes(from) && to !== from && !test)
    return `Remove ${target}: ${from} is pure and imports nothing`;
  if (to === from || SIDEWAYS[from]?.includes(to) || layerOf(target) < layerOf(path)) return undefined;
  const way = layerOf(target) === layerOf(path) ? 'sideways' : 'up';
  return `Remove ${target}: ${from} (L${layerOf(path)}) may not import ${way} from ${to} (L${layerOf(target)})`;
}

const list = (names: readonly string[]): string => (names.length === 0 ? 'nothing' : names.join(', '));

const folderOf = (path: string): string => path.split('/', 2)[1] ?? path;

const layerOf = (path: string): number => LAYERS.findIndex((folders) => folders.includes(folderOf(path)));

/** Static and dynamic imports, re-exports, import types, and modules named for a worker or a lane. */
function importsOf(path: string, file: SourceFile): { specifier: string; at: string }[] {
  const found = file.imports
    .filter(isStringLiteral)
    .map((node) => ({ specifier: node.text, at: place(path, file, node) }));
  walk(file, (node) => {
    const specifier = siblingModule(file, node);
    if (specifier !== undefined) found.push({ specifier, at: place(path, file, node) });
  });
  return found;
}

/** The module of `new URL('./x.ts', import.meta.url)` or `siblingUrl(import.meta.url, './x')`. */
function siblingModule(file: SourceFile, node: Node): string | undefined {
  if (!isNewExpression(node) && !isCallExpression(node)) return undefined;
  const [first, second] = node.arguments ?? [];
  if (first === undefined || second === undefined) return undefined;
  const callee = node.expression.getText(file);
  if (callee === 'URL' && isStringLiteral(first) && second.getText(file) === 'import.meta.url') {
    return first.text.endsWith('.ts') ? first.text : undefined;
  }
  return callee === 'siblingUrl' && isStringLiteral(second) ? `${second.text}.ts` : undefined;
}
