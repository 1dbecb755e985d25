import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openPort } from './openPort.ts';

test('the report of a port around a port tells how that one runs as of now', () => {
  const folder = mkdtempSync(join(tmpdir(), 'barewire-wrapped-'));
  try {
    const path = join(folder, 'm');
    const wrapped = `faults=loss:0&capture=${join(folder, 'c')}&trace=${join(folder, 't')}`;
    using server = openPort(`memif:${path}?role=server&${wrapped}`);
    const before = server.report.mode;
    using client = openPort(`memif:${path}?role=client`);
    for (let i = 0; i < 1000 && client.connected !== true; i++) {
      server.arm();
      client.arm();
    }
    assert.equal(client.connected, true);
    assert.equal(server.connected, true);
    assert.notEqual(server.report.mode, before);
    assert.equal(server.report.reasons.length, 3);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
