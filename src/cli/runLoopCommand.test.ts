import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runLoopCommand } from './runLoopCommand.ts';

test('runLoopCommand() refuses a plot that cannot be written before the loop runs', async () => {
  for (const plot of ['/no/such/folder/sweep.html', tmpdir()]) {
    await assert.rejects(
      runLoopCommand({ plot }, [], () => assert.fail('the loop ran')),
      { message: /^Cannot write the plot: (ENOENT|EISDIR)/ },
    );
  }
});

test('runLoopCommand() leaves the file of a plot as it was when nothing was measured', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-plot-'));
  try {
    const [old, fresh] = ['old.html', 'fresh.html'].map((name) => join(folder, name)) as [string, string];
    writeFileSync(old, 'the last sweep');
    for (const plot of [old, fresh]) await runLoopCommand({ plot }, [], async () => {});
    assert.equal(readFileSync(old, 'utf8'), 'the last sweep');
    assert.equal(existsSync(fresh), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
