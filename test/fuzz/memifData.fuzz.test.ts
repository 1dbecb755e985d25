import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import { addressOf } from '../../src/ffi/index.ts';
import { MemifPort, type MemifPortSpec } from '../../src/port/index.ts';
import { leakedFds } from '../../src/sys/index.ts';
import { echoUdpFrame, parseUdpFrame, UdpFrame } from '../../src/wire/index.ts';
import { HandDrivenPeer } from '../memif/handDrivenPeer.ts';
import { udpFrame } from '../support/frames.ts';
import { State, TASK_LEN, TASK_OFFSET, Task } from './memifScribbler.ts';
import { Random } from './random.ts';

// A port beside a peer in another thread that writes what it likes into their memory, at full speed, while the port
// receives, parses, echoes and sleeps. BAREWIRE_SEED=<seed> starts with the same peers; threads meet differently each time.

const TIME_BOX_MS = process.env.BAREWIRE_SOAK === '1' ? 60_000 : 2000;
const SEED = Number(process.env.BAREWIRE_SEED ?? Date.now() % 2 ** 31);
/** A peer that was believed for so long makes room for the next. */
const PEER_MS = 150;
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);

/** The thread with its hands in our memory. */
class Scribbler implements AsyncDisposable {
  readonly #shared = new SharedArrayBuffer(TASK_LEN);
  readonly #state = new Int32Array(this.#shared, 0, 1);
  readonly #task = new Float64Array(this.#shared, TASK_OFFSET);
  readonly #worker = new Worker(new URL('memifScribbler.ts', import.meta.url), { workerData: this.#shared });

  start(peer: HandDrivenPeer, seed: number): void {
    const { regions, toServer, toClient } = peer.connection;
    const packets = peer.packets;
    this.#task[Task.ringsPtr] = addressOf(regions[0]!);
    this.#task[Task.ringsLen] = regions[0]!.byteLength;
    this.#task[Task.packetsPtr] = addressOf(packets);
    this.#task[Task.packetsLen] = packets.byteLength;
    this.#task[Task.toServer] = toServer[0]!.offset;
    this.#task[Task.toClient] = toClient[0]!.offset;
    this.#task[Task.ringSize] = 1 << toServer[0]!.log2Size;
    this.#task[Task.isClient] = peer.endpoint.role === 'client' ? 1 : 0;
    this.#task[Task.seed] = seed;
    Atomics.store(this.#state, 0, State.run);
    Atomics.notify(this.#state, 0);
  }

  /** Returns when it has let go of the memory. */
  stop(): void {
    Atomics.store(this.#state, 0, State.stop);
    Atomics.notify(this.#state, 0);
    while (Atomics.load(this.#state, 0) === State.stop) Atomics.wait(this.#state, 0, State.stop, 10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#state, 0, State.exit);
    Atomics.notify(this.#state, 0);
    await once(this.#worker, 'exit');
  }
}

/** What a program does with a port; counts what it met. */
class Victim {
  readonly port: MemifPort;
  frames = 0;
  datagrams = 0;
  readonly #random: Random;
  readonly #received = new Burst(32);
  readonly #frame = new UdpFrame();

  constructor(port: MemifPort, random: Random) {
    this.port = port;
    this.#random = random;
  }

  step(): void {
    const { port } = this;
    const burst = this.#received;
    const count = port.rx(burst);
    assert.equal(burst.count, count);
    this.frames += count;
    for (let i = 0; i < count; i++) this.#look(i);
    if (count > 0) assert.equal(burst.flags[count - 1]! & FrameFlags.continues, 0, 'a frame without its end');
    // Echoes some, and some of its own.
    if (this.#random.below(4) === 0) port.alloc(burst, this.#random.below(burst.capacity - count + 1));
    for (let i = count; i < burst.count; i++) burst.len[i] = 60;
    if (this.#random.below(8) > 0) burst.dropPrefix(port.tx(burst));
    port.recycle(burst);
    port.flush();
    if (this.#random.below(64) === 0) port.arm();
  }

  #look(i: number): void {
    const { view, bytes } = this.port.regions[0]!;
    const [addr, len] = [this.#received.addr[i]!, this.#received.len[i]!];
    assert.ok(
      len >= 1 && len <= this.port.maxPieceLen && addr + len <= bytes.length,
      `${len} bytes at ${addr}`,
    );
    if (parseUdpFrame(view, addr, len, this.#frame) !== 0) return;
    this.datagrams++;
    const { payloadOffset, payloadLen } = this.#frame;
    assert.ok(
      payloadOffset >= addr && payloadOffset + payloadLen <= addr + len,
      'a payload out of its frame',
    );
    echoUdpFrame(this.#frame);
  }
}

for (const role of ['client', 'server'] as const) {
  test(`a memif ${role} lives with a peer that writes anything at any time (seed ${SEED})`, async (t) => {
    const path = `@barewire-data-fuzz-${process.pid}-${role}`;
    const random = new Random(SEED);
    const owned = leakedFds().length;
    await using scribbler = new Scribbler();
    const spec: MemifPortSpec = { path, role, ringSize: 64, chunkCount: 400, debug: true };
    const victim = new Victim(new MemifPort(spec), random);
    const { port } = victim;
    const { pool } = port.interface.memory;
    let peers = 0;
    for (const ended = performance.now() + TIME_BOX_MS; performance.now() < ended; peers++) {
      using peer = new HandDrivenPeer(port, path);
      const chunks = peer.packets.length / 2048;
      for (let i = 0; i < chunks; i++) peer.packets.set(udpFrame(MAC, MAC, 40, i), i * 2048);
      scribbler.start(peer, random.below(2 ** 31));
      try {
        for (const enough = performance.now() + PEER_MS; performance.now() < enough; ) {
          for (let i = 0; i < 50 && port.interface.connected; i++) victim.step();
          if (!port.interface.connected) break;
        }
      } finally {
        scribbler.stop();
      }
      peer.close();
      for (let i = 0; i < 5_000_000 && port.interface.queueCount > 0; i++) victim.step();
      assert.equal(port.interface.queueCount, 0);
      assert.equal(pool.free, pool.count, 'every chunk is back');
    }
    const { disconnects } = port.interface.statistics();
    t.diagnostic(
      `${peers} peers, ${victim.frames} frames, ${victim.datagrams} good; ${JSON.stringify(disconnects)}`,
    );
    assert.ok(victim.frames > 0 && victim.datagrams > 0);
    serveHonest(port, path);
    port.close();
    assert.equal(leakedFds().length, owned);
  });
}

/** After all that, a port is as good as new. */
function serveHonest(port: MemifPort, path: string): void {
  using honest = new MemifPort({ path, role: port.interface.role === 'client' ? 'server' : 'client' });
  const burst = new Burst(8);
  for (const ended = performance.now() + 3000; !(port.interface.connected && honest.interface.connected); ) {
    for (const end of [port, honest]) {
      end.rx(burst);
      end.recycle(burst);
    }
    assert.ok(performance.now() < ended, port.report.mode);
  }
  for (const [from, to] of [
    [honest, port],
    [port, honest],
  ] as const) {
    const frame = udpFrame(MAC, MAC, 100, 7);
    assert.equal(from.alloc(burst, 1), 1);
    from.regions[0]!.bytes.set(frame, burst.addr[0]!);
    burst.len[0] = frame.length;
    assert.equal(from.tx(burst), 1);
    burst.clear();
    assert.equal(to.rx(burst), 1);
    const addr = burst.addr[0]!;
    assert.deepEqual(to.regions[0]!.bytes.slice(addr, addr + burst.len[0]!), frame);
    to.recycle(burst);
  }
}
