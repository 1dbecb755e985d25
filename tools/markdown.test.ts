import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkCommands, checkLinks, openPages, parsePage, runSnippets } from './markdown.ts';

const FENCE = '```';

test('parsePage() separates fenced and inline code from prose and keeps line numbers', () => {
  const { prose, code } = parsePage('a.md', `# A\n${FENCE}sh\nnpm test\n${FENCE}\nSee \`x y\`.\n`);
  assert.deepEqual(code, [
    { info: 'sh', text: 'npm test\n', line: 3 },
    { info: 'inline', text: 'x y', line: 5 },
  ]);
  assert.equal(prose.split('\n')[2]!.trim(), '');
});

test('checkLinks() names links to missing files and headings, and only those', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'barewire-links-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'docs'));
  writeFileSync(
    join(root, 'docs/a.md'),
    '## Life of a packet, `short`\n[up](../README.md) [web](https://x.example)\n',
  );
  writeFileSync(
    join(root, 'README.md'),
    `[good](docs/a.md#life-of-a-packet-short) [here](#top)\n# Top\n[gone](docs/b.md)\n[bad](docs/a.md#nowhere)\n${FENCE}\n[code](no)\n${FENCE}\n`,
  );
  assert.deepEqual(checkLinks(root, openPages(root)), [
    'README.md:3: Mend the link to docs/b.md: no such file',
    'README.md:4: Mend the link to docs/a.md#nowhere: no such heading',
  ]);
});

test('checkCommands() names scripts and commands that do not exist', () => {
  const text = [
    `${FENCE}sh`,
    'npm ci && npm start',
    'npm run nothing -- --json',
    'sudo barewire demo; npx barewire fly',
    FENCE,
    'Use `npm test`, `barewire land` or `barewire/xdp`; barewire prose is prose.',
  ].join('\n');
  const problems = checkCommands([parsePage('a.md', text)], new Set(['start']), new Set(['demo']));
  assert.deepEqual(problems, [
    'a.md:2: Add script nothing to package.json, or name another',
    'a.md:2: Add command fly to barewire, or name another',
    'a.md:6: Add script test to package.json, or name another',
    'a.md:6: Add command land to barewire, or name another',
  ]);
});

test('runSnippets() runs only blocks fenced as `ts run`, as TypeScript modules in the project', () => {
  const root = new URL('..', import.meta.url).pathname;
  const text = [
    `${FENCE}ts run`,
    "import { viewOf } from 'barewire/ffi';",
    "const kind: string = typeof viewOf; if (kind !== 'function') throw kind;",
    FENCE,
    `${FENCE}ts`,
    'throw new Error("not run");',
    FENCE,
    `${FENCE}ts run`,
    'throw new Error("the snippet is wrong");',
    FENCE,
  ].join('\n');
  const { ran, problems } = runSnippets(root, [parsePage('a.md', text)]);
  assert.equal(ran, 2);
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^a\.md:9: Mend this snippet: exit code 1\n[\s\S]*the snippet is wrong/);
});
