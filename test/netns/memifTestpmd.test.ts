import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ForwardMode, Testpmd } from '../../bench/system/testpmd.ts';
import { Burst, ChunkOwner, FrameFlags } from '../../src/core/index.ts';
import { MemifPort, type MemifPortSpec } from '../../src/port/index.ts';
import { allowedCores, leakedFds } from '../../src/sys/index.ts';
import { parseUdpFrame, UdpFrame } from '../../src/wire/index.ts';
import { udpFrame } from '../support/frames.ts';
import { requireTool } from '../support/requirements.ts';

// memif beside DPDK's own, in both roles. testpmd forwards its only port to itself.

const SOAK = process.env.BAREWIRE_SOAK === '1';
const folder = mkdtempSync(join(tmpdir(), 'barewire-testpmd-'));
let sockets = 0;

after(() => rmSync(folder, { recursive: true }));

const MAC = { testpmd: Uint8Array.of(2, 0, 0, 0, 0, 9), ours: Uint8Array.of(2, 0, 0, 0, 0, 7) };
const ANSWER_MS = 5000;

interface Peering extends AsyncDisposable {
  readonly port: MemifPort;
  readonly testpmd: Testpmd;
}

interface PeeringSpec {
  readonly role: 'client' | 'server';
  readonly mode: ForwardMode;
  readonly queues?: number;
  readonly port?: Partial<MemifPortSpec>;
  /** of testpmd's device */
  readonly device?: string;
}

function startTestpmd(
  socket: string,
  { role, mode, queues = 1, device = '' }: PeeringSpec,
): Promise<Testpmd> {
  const cores = allowedCores();
  return Testpmd.start({
    ...{ mode, queues, burst: 32, ringSize: 1024, frameLen: 64 },
    ...{ core: cores[0]!, commandCore: cores.at(-1)! },
    device: `net_memif0,role=${role === 'client' ? 'server' : 'client'},socket=${socket},socket-abstract=no${device}`,
  });
}

/** Starts both sides and waits until they are connected. */
async function peer(spec: PeeringSpec): Promise<Peering> {
  const socket = join(folder, `${sockets++}`);
  const port = new MemifPort({
    ...{ path: socket, role: spec.role, queues: spec.queues ?? 1, debug: true },
    ...spec.port,
  });
  const close = (): void => {
    port.close();
    port.interface.memory.pool.ledger!.assertNone(ChunkOwner.application);
  };
  try {
    const testpmd = await startTestpmd(socket, spec);
    await connected(port);
    return {
      ...{ port, testpmd },
      [Symbol.asyncDispose]: async () => {
        await testpmd[Symbol.asyncDispose]();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Polls until there is a peer, or none. */
async function connected(port: MemifPort, wanted = true): Promise<void> {
  const burst = new Burst(1);
  for (const ended = performance.now() + ANSWER_MS; port.interface.connected !== wanted; await sleep(1)) {
    for (let i = 0; i < 1000; i++) {
      port.rx(burst);
      port.recycle(burst);
    }
    assert.ok(performance.now() < ended, port.report.mode);
  }
}

/** Sends frames, each in pieces that fit. */
function send(port: MemifPort, frames: readonly Uint8Array[]): void {
  const burst = new Burst(64);
  for (const frame of frames) {
    const pieces = Math.ceil(frame.length / port.maxPieceLen);
    assert.equal(port.alloc(burst, pieces), pieces);
    for (let i = 0; i < pieces; i++) {
      const piece = frame.subarray(i * port.maxPieceLen, (i + 1) * port.maxPieceLen);
      port.regions[0]!.bytes.set(piece, burst.addr[i]!);
      burst.len[i] = piece.length;
      burst.flags[i] = i < pieces - 1 ? FrameFlags.continues : 0;
    }
    for (let tries = 0; burst.count > 0; tries++) {
      burst.dropPrefix(port.tx(burst));
      assert.ok(tries < 1e7, 'testpmd takes frames');
    }
    port.flush();
  }
}

/** Receives `count` frames, as copies, or as many as come in time. */
function receive(port: MemifPort, count: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const burst = new Burst(64);
  let pieces: Uint8Array[] = [];
  for (const ended = performance.now() + ANSWER_MS; frames.length < count && performance.now() < ended; ) {
    while (frames.length < count && port.rx(burst) > 0) {
      for (let k = 0; k < burst.count; k++) {
        const addr = burst.addr[k]!;
        pieces.push(port.regions[0]!.bytes.slice(addr, addr + burst.len[k]!));
        if ((burst.flags[k]! & FrameFlags.continues) !== 0) continue;
        frames.push(new Uint8Array(Buffer.concat(pieces)));
        pieces = [];
      }
      port.recycle(burst);
    }
  }
  return frames;
}

/** Different frames of every length. */
function someFrames(count: number, payloadLen: (i: number) => number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => udpFrame(MAC.ours, MAC.testpmd, payloadLen(i), i));
}

function swapped(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12));
}

function available(t: TestContext): boolean {
  return requireTool(t, 'dpdk-testpmd') !== undefined;
}

for (const role of ['client', 'server'] as const) {
  describe(`memif as ${role} beside dpdk-testpmd`, () => {
    it('has frames of all lengths forwarded back as they were', async (t) => {
      if (!available(t)) return;
      await using peering = await peer({ role, mode: 'io' });
      for (let round = 0; round < 20; round++) {
        const frames = someFrames(64, (i) => 18 + ((round * 64 + i) % 1400));
        send(peering.port, frames);
        assert.deepEqual(receive(peering.port, 64), frames);
      }
    });

    it('has frames forwarded back with their addresses swapped', async (t) => {
      if (!available(t)) return;
      await using peering = await peer({ role, mode: 'macswap' });
      const frames = someFrames(200, () => 40);
      send(peering.port, frames);
      assert.deepEqual(receive(peering.port, 200), frames.map(swapped));
      const read = await peering.testpmd.read();
      assert.deepEqual(read, { rxFrames: 200, txFrames: 200 });
    });

    it('receives the flows that testpmd makes up, each a good datagram', async (t) => {
      if (!available(t)) return;
      await using peering = await peer({ role, mode: 'flowgen' });
      const frames = receive(peering.port, 2000);
      assert.ok(frames.length >= 2000);
      const parsed = new UdpFrame();
      const destinations = new Set<number>();
      for (const frame of frames) {
        const view = new DataView(frame.buffer);
        assert.equal(parseUdpFrame(view, 0, frame.length, parsed), 0);
        destinations.add(view.getUint32(30));
      }
      assert.ok(destinations.size > 100, 'flows differ');
    });

    for (const queues of [1, 2, 3, 4]) {
      it(`passes frames on each of ${queues} queues`, async (t) => {
        if (!available(t)) return;
        await using peering = await peer({ role, mode: 'io', queues });
        assert.equal(peering.port.interface.queueCount, queues);
        for (let round = 0; round < 4 * queues; round++) {
          peering.port.interface.useQueue(round % queues);
          const frames = someFrames(64, (i) => 18 + i + round);
          send(peering.port, frames);
          assert.deepEqual(receive(peering.port, 64), frames);
        }
      });
    }

    it('passes jumbo frames over several buffers', async (t) => {
      if (!available(t)) return;
      await using peering = await peer({ role, mode: 'io' });
      const frames = someFrames(20, (i) => 3000 + 300 * i);
      for (const frame of frames) {
        send(peering.port, [frame]);
        assert.deepEqual(receive(peering.port, 1), [frame]);
      }
    });

    it('knows the secret, or is refused', async (t) => {
      if (!available(t)) return;
      const secret = new TextEncoder().encode('swordfish');
      await using peering = await peer({ role, mode: 'io', port: { secret }, device: ',secret=swordfish' });
      const frames = someFrames(3, () => 100);
      send(peering.port, frames);
      assert.deepEqual(receive(peering.port, 3), frames);
    });

    it(SOAK
      ? 'meets a peer that is killed every 20 s for 5 minutes'
      : 'meets a peer that is killed again and again', { timeout: 900_000 }, async (t) => {
      if (!available(t)) return;
      const socket = join(folder, `${sockets++}`);
      const fds = readdirSync('/proc/self/fd').length;
      const owned = leakedFds().length;
      const port = new MemifPort({ path: socket, role, debug: true });
      const { pool } = port.interface.memory;
      const rounds = SOAK ? 15 : 4;
      let sent = 0;
      let received = 0;
      for (let round = 0; round < rounds; round++) {
        await using testpmd = await startTestpmd(socket, { role, mode: 'io' });
        await connected(port);
        for (const ended = performance.now() + (SOAK ? 20_000 : 700); performance.now() < ended; ) {
          const frames = someFrames(32, (i) => 18 + ((sent + i) % 1400));
          send(port, frames);
          assert.deepEqual(receive(port, 32), frames);
          sent += 32;
          received += 32;
        }
        const { free, fill, application, tx, completion } = pool.ledger!.audit();
        assert.equal(free + fill + tx + completion, pool.count);
        assert.equal(application, 0);
        await testpmd.kill();
        await connected(port, false);
        // What a server of testpmd's leaves behind when it is killed keeps the next one from starting.
        if (role === 'client') rmSync(socket);
      }
      const statistics = port.statistics();
      assert.equal(statistics.txFrames, sent);
      assert.equal(statistics.rxFrames, received);
      assert.equal(port.interface.statistics().connects, rounds);
      t.diagnostic(`${sent} frames there and back beside ${rounds} peers that were killed`);
      port.close();
      assert.equal(leakedFds().length, owned);
      assert.equal(readdirSync('/proc/self/fd').length, fds);
    });
  });
}
