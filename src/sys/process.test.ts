import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { dieWithParent } from './process.ts';

const module = new URL('./process.ts', import.meta.url).href;

/** A process that starts another, which follows it; both say their process id. */
const parentScript = `
  const { spawn } = await import('node:child_process');
  const script = "import { dieWithParent } from '${module}'; dieWithParent(); console.log(process.pid); setInterval(() => {}, 1000);";
  const env = { ...process.env, BAREWIRE_LAUNCHER: String(process.pid) };
  spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { env, stdio: ['ignore', 'inherit', 'inherit'] });
`;

test('dieWithParent() ends a process whose launcher is killed', async (t) => {
  const parent = spawn(process.execPath, ['--input-type=module', '-e', parentScript], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const child = Number(String(said).trim());
  const closed = once(parent.stdout, 'close').then(() => 'both ended');
  parent.kill('SIGKILL');
  // The pipe closes once the last process that holds it has ended.
  const late = new Promise((resolve) => setTimeout(resolve, 10_000, 'the child lives').unref());
  const end = await Promise.race([closed, late]);
  t.after(() => end === 'both ended' || process.kill(child, 'SIGKILL'));
  assert.equal(end, 'both ended');
});

test('dieWithParent() does nothing for a process that no launcher started', () => {
  delete process.env.BAREWIRE_LAUNCHER;
  assert.equal(dieWithParent(), false);
});
