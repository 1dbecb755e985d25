import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requireRoot } from '../support/requirements.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const FULL = process.env.BAREWIRE_SOAK === '1';
/** Full: the minute that the size has to be flat for. Short: the same flood, to see that it runs and does not run away. */
const SECONDS = FULL ? 60 : 10;

it(`the receiver process keeps its size under a flood of ${SECONDS} s`, async (t) => {
  if (!requireRoot(t)) return;
  const args = [MAIN, 'bench', 'soak', '--json', '--seconds', `${SECONDS}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  const figures = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { figure: string; ours: number });
  const value = (figure: string): number => figures.find((each) => each.figure === figure)!.ours;
  assert.ok(value('offered') > 0.05, 'orders were offered');
  // Flat by definition: less than 2 % and 2 MiB; a run that is too short to be flat may not exceed 8 MiB.
  assert.ok(value('growth') < (FULL ? 2 : 8), `grew by ${value('growth')} MiB`);
  assert.ok(value('growth share') < (FULL ? 2 : 8), `grew by ${value('growth share')} %`);
});
