import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NODE_VERSIONS, requireNode, requireNpm, shellEnv } from '../support/registry.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const launcher = join(root, 'bin/launch.js');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Copies what a checkout needs to start, without node_modules. */
function checkout(t: TestContext, ...paths: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-checkout-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const path of paths) cpSync(join(root, path), join(folder, path), { recursive: true });
  return folder;
}

function run(node: string, args: readonly string[], cwd: string = root, env: NodeJS.ProcessEnv = {}) {
  const options = { cwd, env: { ...shellEnv(node), ...env }, encoding: 'utf8', input: 'typed' } as const;
  return spawnSync(node, args, options);
}

for (const major of [20, 22, 24] as const) {
  test(`the command starts from its sources under Node ${NODE_VERSIONS[major]}`, (t) => {
    const node = requireNode(t, major);
    if (node === undefined) return;
    const { stdout, stderr, status } = run(node, ['bin/barewire.js', '--version']);
    assert.deepEqual({ stdout, stderr, status }, { stdout: `${version}\n`, stderr: '', status: 0 });
  });

  test(`launch.js under Node ${NODE_VERSIONS[major]} passes arguments, input, output and exit code through`, (t) => {
    const node = requireNode(t, major);
    if (node === undefined) return;
    const program =
      'process.stdin.pipe(process.stdout); console.error(process.version, ...process.argv.slice(1)); process.exitCode = 7';
    const { stdout, stderr, status } = run(node, [launcher, '-e', program, '--', 'a b', '--c']);
    assert.match(stderr, /^v(2[6-9]|[3-9]\d)\.\S+ a b --c\n$/);
    assert.deepEqual({ stdout, status }, { stdout: 'typed', status: 7 });
  });

  test(`launch.js under Node ${NODE_VERSIONS[major]} passes signals on and dies as its child does`, async (t) => {
    const node = requireNode(t, major);
    if (node === undefined) return;
    const program = `
      process.on('SIGTERM', () => console.log('asked to end'));
      process.on('SIGINT', () => process.kill(process.pid, 'SIGKILL'));
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const child = spawn(node, [launcher, '-e', program], {
      env: shellEnv(node),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'ready\n');
    child.kill('SIGTERM');
    assert.equal((await lines.next()).value, 'asked to end\n');
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  });
}

for (const major of [20, 22] as const) {
  test(`launch() under Node ${NODE_VERSIONS[major]} names itself only to a child that shall follow it`, (t) => {
    const node = requireNode(t, major);
    if (node === undefined) return;
    const program = 'console.log(process.ppid, process.env.BAREWIRE_LAUNCHER)';
    const named = (options: string): string[] => {
      const call = `import { launch } from ${JSON.stringify(launcher)}; launch(['-e', ${JSON.stringify(program)}]${options})`;
      const args = ['--input-type=module', '-e', call];
      return run(node, args, root, { BAREWIRE_LAUNCHER: '1' }).stdout.trim().split(' ');
    };
    const [parent, name] = named(', { followed: true }');
    if (major === 20) assert.equal(name, parent);
    else assert.deepEqual([parent, name], [String(process.pid), 'undefined']);
    assert.equal(named('')[1], 'undefined');
  });
}

test('a child that follows its launcher dies with it, even after kill -9', async (t) => {
  const node = requireNode(t, 20);
  if (node === undefined) return;
  const sys = new URL('../../src/sys/index.ts', import.meta.url).href;
  const program = `import { dieWithParent } from ${JSON.stringify(sys)};
    console.log(dieWithParent());
    setInterval(() => {}, 1000);`;
  const args = JSON.stringify(['--input-type=module', '-e', program]);
  const call = `import { launch } from ${JSON.stringify(launcher)}; launch(${args}, { followed: true })`;
  const child = spawn(node, ['--input-type=module', '-e', call], {
    env: shellEnv(node),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'true\n');
  child.kill('SIGKILL');
  assert.equal((await lines.next()).done, true, 'the child still holds the pipe');
});

test('without Node 26 the command says what is missing and how to get it', (t) => {
  const node = requireNode(t, 20);
  if (node === undefined) return;
  const folder = checkout(t, 'bin', 'src', 'package.json');
  const { stdout, stderr, status } = run(node, ['bin/barewire.js', '--version'], folder);
  assert.deepEqual({ stdout, status }, { stdout: '', status: 1 });
  assert.equal(
    stderr,
    `Cannot start Barewire from its sources: they need Node 26, this is Node 20.20.2, and the package node-linux-${process.arch}, which brings Node 26, is not installed in ${folder}/node_modules\n` +
      `Run "npm ci --include=optional" in ${folder}/ or use Node 26 or later\n`,
  );
});

for (const npmVersion of ['10.8.2', '11.21.2']) {
  test(`npm ${npmVersion} sets up a fresh checkout, and npx and npm start run it`, (t) => {
    const node = requireNode(t, 20);
    const npm = node && requireNpm(t, npmVersion);
    if (node === undefined || npm === undefined) return;
    const folder = checkout(t, 'bin', 'src', 'package.json', 'package-lock.json', '.npmrc');
    const npx = join(dirname(npm), 'npx-cli.js');
    const ci = run(node, [npm, 'ci', '--prefer-offline', '--ignore-scripts'], folder);
    assert.equal(ci.status, 0, ci.stderr);
    assert.equal(run(node, [npx, '.', '--version'], folder).stdout, `${version}\n`);
    const start = run(node, [npm, 'start', '--silent', '--', '--help'], folder);
    assert.match(start.stdout, /^Usage: barewire/, start.stderr);
  });
}
