import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packedLinks } from './packedLinks.ts';

const packed = new Set(['README.md', 'docs/xdp.md', 'src/xdp/index.js', 'LICENSE']);
const inPackage = (path: string, text: string): string => packedLinks(path, text, (each) => packed.has(each));

test('packedLinks() keeps links to what is in the package, and to other hosts', () => {
  const text = '[xdp](xdp.md#modes), [up](../LICENSE), [here](#modes), [there](https://example.org/a.ts)';
  assert.equal(inPackage('docs/lane.md', text), text);
});

test('packedLinks() leads from a source to what it became', () => {
  assert.equal(inPackage('docs/xdp.md', '[src/xdp](../src/xdp/index.ts)'), '[src/xdp](../src/xdp/index.js)');
});

test('packedLinks() leaves the words of a link to what is not in the package', () => {
  assert.equal(
    inPackage(
      'README.md',
      'see [`examples/`](examples), [CONTRIBUTING.md](CONTRIBUTING.md#house) and [b](b.ts)',
    ),
    'see `examples/`, CONTRIBUTING.md and b',
  );
});
