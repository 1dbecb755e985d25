import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { link, withNetns } from '../../src/sys/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';
import { KernelTraffic } from './kernelTraffic.ts';
import { XdpFlow } from './xdpFlow.ts';

const KILLS = process.env.BAREWIRE_SOAK === '1' ? 200 : 15;
/** Bursts so far apart leave the cores to the processes that start. */
const PAUSE_MS = 1;

describe('AF_XDP beside the kernel, and after kill -9', () => {
  it(`starts again at once after each of ${KILLS} kill -9 of sender or receiver, and the kernel's traffic flows`, async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    await using kernel = await KernelTraffic.between(veth);
    const flows = {
      sender: new XdpFlow(veth, 'sender', PAUSE_MS),
      receiver: new XdpFlow(veth, 'receiver', PAUSE_MS),
    };
    let slowestMs = 0;
    try {
      await Promise.all([flows.sender.moreThan(0), flows.receiver.moreThan(0)]);
      for (let kill = 0; kill < KILLS; kill++) {
        const role = Math.random() < 0.5 ? 'sender' : 'receiver';
        const end = role === 'sender' ? veth.a : veth.b;
        await sleep(Math.random() * 50);
        const ended = flows[role].kill();
        // Half of the time nobody waits for the end of the first before the second starts.
        if (Math.random() < 0.5) {
          await ended;
          assert.equal(
            withNetns(end.namespace, () => link(end.name).xdp),
            undefined,
            'a program was left',
          );
          await kernel.check('udp');
          await kernel.check('tcp');
        }
        const seen = flows.receiver.frames;
        flows[role] = new XdpFlow(veth, role, PAUSE_MS);
        const { openMs, mode, reasons } = await flows[role].moreThan(0);
        slowestMs = Math.max(slowestMs, openMs);
        assert.deepEqual([mode, reasons], ['native copy', []], `kill ${kill}, of the ${role}`);
        await flows.receiver.moreThan(role === 'sender' ? seen : 0);
        await kernel.check('udp');
        await kernel.check('tcp');
      }
    } finally {
      await Promise.all([flows.sender.kill(), flows.receiver.kill()]);
    }
    t.diagnostic(`the slowest of ${KILLS} starts opened in ${slowestMs.toFixed(0)} ms`);
    assert.ok(slowestMs < 2000, `opened in ${slowestMs} ms`);
  });

  it('leaves ping and TCP of the far side to the kernel while its flow comes at full rate', async (t) => {
    if (!requireRoot(t)) return;
    using veth = testVeth();
    await using kernel = await KernelTraffic.between(veth);
    await using receiver = new XdpFlow(veth, 'receiver', 0);
    await using sender = new XdpFlow(veth, 'sender', 0);
    await Promise.all([sender.moreThan(1000), receiver.moreThan(1000)]);
    const before = receiver.frames;
    const start = performance.now();
    const times: Record<'ping' | 'tcp' | 'udp', number[]> = { ping: [], tcp: [], udp: [] };
    for (let round = 0; round < 20; round++) {
      for (const what of ['ping', 'tcp', 'udp'] as const) times[what].push(await kernel.check(what));
    }
    const seconds = (performance.now() - start) / 1000;
    const { frames } = await receiver.moreThan(before);
    const worst = Object.entries(times).map(([what, ms]) => `${what} ${Math.max(...ms).toFixed(0)} ms`);
    t.diagnostic(
      `${Math.round((frames - before) / seconds)} frames/s meanwhile; at worst ${worst.join(', ')}`,
    );
    assert.ok(
      (frames - before) / seconds > 10_000,
      `the flow came at ${(frames - before) / seconds} frames/s`,
    );
  });
});
