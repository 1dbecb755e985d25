import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLayers } from './layers.ts';
import { virtualSources } from './sources.ts';

function problemsOf(path: string, text: string): string[] {
  using sources = virtualSources({ [path]: text });
  return checkLayers(sources);
}

test('checkLayers() accepts imports that point down, stay in the folder, or are listed exceptions', () => {
  using sources = virtualSources({
    'src/lane/a.ts': "import '../port/index.ts'; import './b.ts'; import 'node:os';",
    'src/sys/a.ts': "import '../core/index.ts'; import '../ffi/index.ts';",
    'src/xdp/a.ts': "import '../bpf/index.ts';",
    'src/ffi/a.ts': "import 'koffi';",
    'src/cli/a.ts': "import 'commander'; await import('../../bench/main.ts');",
    'src/core/a.test.ts': "import 'node:test'; import 'fast-check'; import '../../test/support/x.ts';",
    'bench/a.ts': "import '../src/cli/a.ts';",
  });
  assert.deepEqual(checkLayers(sources), []);
});

test('checkLayers() rejects every way to import up or sideways', () => {
  const ways = [
    "import { a } from '../lane/a.ts';",
    "import type { a } from '../lane/a.ts';",
    "export { a } from '../lane/a.ts';",
    "await import('../lane/a.ts');",
    "type A = import('../lane/a.ts').A;",
    "new Worker(new URL('../lane/a.ts', import.meta.url));",
    "siblingUrl(import.meta.url, '../lane/a');",
  ];
  using sources = virtualSources({ 'src/port/a.ts': ways.join('\n') });
  const expected = ways.map(
    (_, i) => `src/port/a.ts:${i + 1}: Remove src/lane/a.ts: port (L3) may not import up from lane (L4)`,
  );
  assert.deepEqual(checkLayers(sources).sort(), expected);
  assert.match(problemsOf('src/bpf/a.ts', "import '../xdp/a.ts';")[0]!, /may not import sideways from xdp/);
  assert.match(problemsOf('src/uring/a.ts', "import '../xdp/a.ts';")[0]!, /may not import sideways from xdp/);
});

test('checkLayers() keeps the FFI library in ffi and other packages out of the data path', () => {
  assert.match(
    problemsOf('src/sys/a.ts', "import koffi from 'koffi';")[0]!,
    /Remove package koffi: sys may load nothing/,
  );
  assert.match(problemsOf('src/lane/a.ts', "import 'commander/esm';")[0]!, /Remove package commander/);
  assert.match(problemsOf('src/cli/a.ts', "import 'koffi';")[0]!, /cli may load commander/);
});

test('checkLayers() keeps core and wire free of everything outside', () => {
  assert.match(problemsOf('src/core/a.ts', "import 'node:os';")[0]!, /Remove node:os: core is pure/);
  assert.match(
    problemsOf('src/wire/a.ts', "import '../core/a.ts';")[0]!,
    /Remove src.core.a.ts: wire is pure/,
  );
  assert.match(problemsOf('src/wire/a.ts', "import '../ffi/a.ts';")[0]!, /wire is pure/);
});

test('checkLayers() keeps test files and files outside src out of the product', () => {
  assert.match(problemsOf('src/sys/a.ts', "import './a.test.ts';")[0]!, /product code imports no test file/);
  assert.match(
    problemsOf('src/sys/a.ts', "import '../../test/support/x.ts';")[0]!,
    /may import nothing from outside src/,
  );
  assert.match(problemsOf('src/sys/a.test.ts', "import '../lane/a.ts';")[0]!, /may not import up/);
});

test('checkLayers() asks for the layer of a new folder', () => {
  assert.deepEqual(problemsOf('src/extra/a.ts', ''), [
    'src/extra/a.ts: Name the layer of extra in tools/layers.ts',
  ]);
});
