import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Burst } from '../../src/core/index.ts';
import { MemifPort } from '../../src/port/index.ts';
import { createMemfd, leakedFds, MappedFile } from '../../src/sys/index.ts';
import { Kept, KILLED_BURST, type KilledPeerTask } from './killedPeer.ts';

// kill -9 of one of two processes while frames flow both ways. Every frame that the dead one had sent arrives, and every
// one that it had not taken is counted.

const SOAK = process.env.BAREWIRE_SOAK === '1';
const KILLS = SOAK ? 60 : 13;
/** Enough is enough, on a slow machine. */
const TIME_BOX_MS = SOAK ? 600_000 : 4500;
const RING = 256;
const program = fileURLToPath(new URL('killedPeer.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'barewire-kill-'));

/** Children start in a quarter of the time when their modules have been compiled; one that is killed keeps nothing. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };

before(() => {
  execFileSync(process.execPath, ['-e', `import(${JSON.stringify(program)})`], { env });
});
after(() => rmSync(folder, { recursive: true }));

const openCount = (): number => readdirSync('/proc/self/fd').length;
const mappingCount = (): number => readFileSync('/proc/self/maps', 'latin1').split('memfd:').length;

/** The port that goes on, and what it saw of the peer of this round. */
class Survivor {
  readonly port: MemifPort;
  readonly #burst = new Burst(KILLED_BURST);
  sent = 0;
  received = 0;

  constructor(port: MemifPort) {
    this.port = port;
  }

  /** Receives a burst, each frame the next of its sender's. */
  receive(): void {
    const { port } = this;
    const count = port.rx(this.#burst);
    for (let i = 0; i < count; i++) {
      assert.equal(port.regions[0]!.view.getUint32(this.#burst.addr[i]!), this.received++);
    }
    port.recycle(this.#burst);
  }

  send(): void {
    const { port } = this;
    port.alloc(this.#burst, KILLED_BURST);
    this.#burst.len.fill(60, 0, this.#burst.count);
    const accepted = port.tx(this.#burst);
    this.sent += accepted;
    this.#burst.dropPrefix(accepted);
    port.recycle(this.#burst);
    port.flush();
  }

  /** Goes on until something holds, leaving the core to the other process between. */
  async until(holds: () => boolean, step: () => void, steps = 30): Promise<void> {
    for (const ended = performance.now() + 10_000; !holds(); await sleep(1)) {
      for (let i = 0; i < steps; i++) step();
      assert.ok(performance.now() < ended, this.port.report.mode);
    }
  }
}

function start(task: KilledPeerTask, memfd: number): ChildProcess {
  return spawn(process.execPath, [program, JSON.stringify(task)], {
    stdio: ['ignore', 'inherit', 'inherit', memfd],
    env,
  });
}

for (const role of ['client', 'server'] as const) {
  for (const idle of ['busySpin', 'block'] as const) {
    const peer = role === 'client' ? 'server' : 'client';
    test(`a memif ${role} outlives peers that ${idle}, killed at any moment`, async (t) => {
      const path = join(folder, `${role}-${idle}`);
      const fds = openCount();
      const mappings = mappingCount();
      const owned = leakedFds().length;
      const survivor = new Survivor(new MemifPort({ path, role, ringSize: RING, debug: true }));
      const { port } = survivor;
      const { pool } = port.interface.memory;
      const all = { sent: 0, received: 0 };
      let kills = 0;
      for (
        const ended = performance.now() + TIME_BOX_MS;
        kills < KILLS && performance.now() < ended;
        kills++
      ) {
        using memfd = createMemfd('counts', 4096);
        using memory = new MappedFile(memfd.fd, 4096, 0, 'counts');
        const kept = new Uint32Array(memory.buffer);
        const unsentBefore = port.statistics().drops.unsent!;
        Object.assign(survivor, { sent: 0, received: 0 });
        const child = start({ path, role: peer, idle, ringSize: RING }, memfd.fd);
        const exited = once(child, 'exit');
        await survivor.until(
          () => survivor.received > 0 && kept[Kept.received]! > 0,
          () => {
            survivor.receive();
            survivor.send();
          },
        );
        for (const dead = performance.now() + Math.random() * 40; performance.now() < dead; ) {
          if (Math.random() < 0.7) survivor.receive();
          if (Math.random() < 0.7) survivor.send();
        }
        child.kill('SIGKILL');
        // It dies while frames flow.
        for (let i = 0; i < 200; i++) survivor.send();
        const [, signal] = await exited;
        assert.equal(signal, 'SIGKILL');
        await survivor.until(
          () => port.interface.queueCount === 0,
          () => survivor.receive(),
          2000,
        );
        assert.equal(existsSync(path), true, 'a server was there, or is');
        const missed = survivor.received - kept[Kept.sent]!;
        assert.ok(missed >= 0 && missed <= KILLED_BURST, `${missed} frames more than were sent`);
        const unsent = port.statistics().drops.unsent! - unsentBefore;
        const lost = survivor.sent - unsent - kept[Kept.received]!;
        // What a server has sent lies in memory that is the client's and dies with it.
        const most = KILLED_BURST + (role === 'server' ? RING : 0);
        assert.ok(lost >= 0 && lost <= most, `${lost} frames neither received nor counted`);
        assert.equal(pool.free, pool.count);
        all.sent += survivor.sent;
        all.received += survivor.received;
      }
      const { txFrames, rxFrames } = port.statistics();
      assert.deepEqual({ sent: txFrames, received: rxFrames }, all);
      assert.equal(port.interface.statistics().connects, kills);
      assert.ok(kills >= 2, `only ${kills} kills in time`);
      t.diagnostic(`${kills} kills, ${all.sent} frames there, ${all.received} back`);
      port.close();
      if (role === 'server') assert.equal(existsSync(path), false, 'the file goes with the server');
      assert.equal(leakedFds().length, owned);
      assert.equal(openCount(), fds);
      assert.equal(mappingCount(), mappings);
    });
  }
}
