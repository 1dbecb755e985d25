import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Burst, ChunkOwner } from '../../src/core/index.ts';
import { PcapPort } from '../../src/port/index.ts';
import { leakedFds } from '../../src/sys/index.ts';
import { CaptureError } from '../../src/wire/index.ts';
import { requireSharedData } from '../support/requirements.ts';

// Captures of others, as they are and damaged, into a port for as long as the time box lasts. A failure names fast-check's
// seed; with BAREWIRE_SEED=<seed> the same inputs come first.

const TIME_BOX_MS = process.env.BAREWIRE_SOAK === '1' ? 120_000 : 3000;
const SEED = Number(process.env.BAREWIRE_SEED ?? Date.now() % 2 ** 31);
const MAX_LEN = 100_000;

const folder = mkdtempSync(join(tmpdir(), 'barewire-pcapfuzz-'));
after(() => rmSync(folder, { recursive: true }));

/** Replays a capture to its end and counts its frames; -1 when it is refused, with an offset inside it. */
function replay(path: string, len: number): number {
  let port: PcapPort;
  try {
    port = new PcapPort({ path, chunkCount: 64, debug: true });
  } catch (error) {
    assert.ok(error instanceof CaptureError, String(error));
    assert.ok(error.offset >= 0 && error.offset <= len);
    return -1;
  }
  const burst = new Burst(64);
  let descriptors = 0;
  while (port.rx(burst) > 0) {
    descriptors += burst.count;
    port.recycle(burst);
  }
  assert.ok(port.ended);
  port.pool.ledger!.assertNone(ChunkOwner.application);
  const { rxFrames } = port.statistics();
  assert.ok(rxFrames <= descriptors);
  port.close();
  return rxFrames;
}

test('pcap: replays captures of others, or says at which byte they are malformed', (t) => {
  const data = requireSharedData(t);
  if (data === undefined) return;
  let refused = 0;
  let frames = 0;
  for (const name of readdirSync(join(data, 'pcap'))) {
    const path = join(data, 'pcap', name);
    const count = replay(path, readFileSync(path).length);
    if (count < 0) refused++;
    else frames += count;
  }
  t.diagnostic(`${frames} frames, ${refused} captures refused`);
  assert.ok(frames > 1000);
  assert.deepEqual(leakedFds(), []);
});

test('pcap: replays damaged captures, or says at which byte they are malformed', (t) => {
  const data = requireSharedData(t);
  if (data === undefined) return;
  t.diagnostic(`BAREWIRE_SEED=${SEED}`);
  const captures = readdirSync(join(data, 'pcap'))
    .map((name) => readFileSync(join(data, 'pcap', name)))
    .filter(({ length }) => length <= MAX_LEN);
  const path = join(folder, 'damaged');
  const place = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: MAX_LEN }));
  const damage = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 5 });
  let replayed = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...captures), damage, fc.option(place), (capture, changes, len) => {
      const bytes = Uint8Array.from(capture.subarray(0, len ?? capture.length));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      writeFileSync(path, bytes);
      if (replay(path, bytes.length) < 0) refused++;
      else replayed++;
    }),
    { seed: SEED, numRuns: 1_000_000, interruptAfterTimeLimit: TIME_BOX_MS },
  );
  t.diagnostic(`${replayed} replayed, ${refused} refused`);
  assert.ok(replayed > 0 && refused > 0);
  assert.deepEqual(leakedFds(), []);
});
