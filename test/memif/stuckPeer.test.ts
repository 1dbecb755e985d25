import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('stuckPeerProcess.ts', import.meta.url));

for (const role of ['client', 'server'] as const) {
  test(`a memif ${role} is not held up by a peer whose eventfd makes writers wait`, () => {
    const output = execFileSync(process.execPath, [program, role], {
      encoding: 'utf8',
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    assert.deepEqual(JSON.parse(output), { sent: 10_000, signals: 10_000, reasons: [] });
  });
}
