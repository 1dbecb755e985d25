import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Burst } from '../../core/index.ts';
import { MemifPort } from '../../port/index.ts';
import { runLoop } from './runLoop.ts';

const ROUNDS = 50;
const FRAMES = 20;

/** Sends frames whose 13th word counts up. */
async function send(port: MemifPort, first: number): Promise<void> {
  const burst = new Burst(FRAMES);
  assert.equal(port.alloc(burst, FRAMES), FRAMES);
  for (let i = 0; i < FRAMES; i++) {
    const addr = burst.addr[i]!;
    port.regions[0]!.bytes.fill(0, addr, addr + 60);
    port.regions[0]!.view.setUint32(addr + 52, first + i);
    burst.len[i] = 60;
  }
  // A client that has just connected lends its chunks a moment later.
  for (let i = 0; burst.count > 0; i++) {
    assert.ok(i < 2000, 'the other end takes frames');
    burst.dropPrefix(port.tx(burst));
    port.flush();
    await sleep(1);
  }
}

/** Takes what is there. @returns the words */
function take(port: MemifPort): number[] {
  const burst = new Burst(64);
  const words: number[] = [];
  while (port.rx(burst) > 0) {
    for (let i = 0; i < burst.count; i++) words.push(port.regions[0]!.view.getUint32(burst.addr[i]! + 52));
    port.recycle(burst);
  }
  return words;
}

it('runLoop() forwards both ways between two memif clients of one memory, and copies nothing', async () => {
  const paths = [0, 1].map((i) => `@barewire-runLoop-${process.pid}-${i}`);
  using left = new MemifPort({ path: paths[0]!, role: 'server' });
  using right = new MemifPort({ path: paths[1]!, role: 'server' });
  await using loop = await runLoop({
    ...{ verb: 'l2fwd', idle: 'yield', ports: paths.map((path) => `memif:${path}?ring=64`) },
  });
  assert.equal(loop.report.copies, false);
  for (let i = 0; !(left.connected && right.connected); i++) {
    assert.ok(i < 2000, `${left.report.mode}; ${right.report.mode}`);
    for (const port of [left, right]) for (let k = 0; k < 256; k++) port.rx(new Burst(1));
    await sleep(1);
  }
  for (let round = 0; round < ROUNDS; round++) {
    const there: number[] = [];
    const back: number[] = [];
    await send(left, round * FRAMES);
    await send(right, 1e6 + round * FRAMES);
    for (let i = 0; there.length < FRAMES || back.length < FRAMES; i++) {
      assert.ok(i < 2000, `round ${round}: ${there.length} there, ${back.length} back`);
      there.push(...take(right));
      back.push(...take(left));
      await sleep(1);
    }
    const wanted = Array.from({ length: FRAMES }, (_, i) => round * FRAMES + i);
    assert.deepEqual(there, wanted);
    assert.deepEqual(
      back,
      wanted.map((word) => 1e6 + word),
    );
  }
  const { rxFrames, txFrames, drops } = await loop.stop();
  assert.deepEqual([rxFrames, txFrames, drops], [2 * ROUNDS * FRAMES, 2 * ROUNDS * FRAMES, {}]);
});
