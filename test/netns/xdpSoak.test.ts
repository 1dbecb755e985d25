import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  BpfProgram,
  FLOW_SOCKETS,
  flowCountersSpec,
  flowProgramSpec,
  readFlowCounters,
  XdpLink,
} from '../../src/bpf/index.ts';
import { Burst, copyDescriptor } from '../../src/core/index.ts';
import { link, withNetns } from '../../src/sys/index.ts';
import { parseMac } from '../../src/wire/index.ts';
import { Umem, XdpSocket, type XdpSocketSpec } from '../../src/xdp/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth, type VethEnd } from '../support/vethPair.ts';

const FULL = process.env.BAREWIRE_SOAK === '1';
const SECONDS = FULL ? 600 : 10;
const LEDGER_SECONDS = FULL ? 60 : 3;
const MIB = 2 ** 20;
/** Frames that the receiver holds at most, of the 1,024 chunks that it has. */
const MOST_HELD = 300;
const STEPS_BETWEEN_CHECKS = 1000;
/** Columns of /proc/net/dev. @source proc_pid_net(5) */
const RX_DROPPED = 4;
const TX_DROPPED = 12;

it(`no chunk is lost in ${SECONDS} s at full rate of random bursts, holds and recycles, and the size stays flat`, async (t) => {
  if (!requireRoot(t)) return;
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  using soak = new Soak(seed, false);
  const sizes = await soak.run(SECONDS);
  const { sent, received, dropped, checks } = soak.end();
  t.diagnostic(
    `${sent} frames sent, ${received} received, ${dropped} dropped for want of chunks; ${checks} checks; ` +
      `${Math.round(sent / SECONDS)} frames/s`,
  );
  assert.ok(sent > 10_000 * SECONDS, `full rate: ${sent} frames in ${SECONDS} s`);
  assert.ok(received > sent / 10, `${received} of ${sent} frames`);
  const early = median(sizes.slice(Math.floor(sizes.length * 0.2), Math.floor(sizes.length * 0.4)));
  const late = median(sizes.slice(Math.floor(sizes.length * 0.8)));
  t.diagnostic(`resident size: ${(early / MIB).toFixed(1)}, then ${(late / MIB).toFixed(1)} MiB`);
  // Flat by definition: less than 2 % and 2 MiB; a run that is too short to be flat may not exceed 16 MiB.
  assert.ok(late - early < (FULL ? 2 : 16) * MIB, `grew by ${(late - early) / MIB} MiB`);
  if (FULL) assert.ok(late < early * 1.02, `grew by ${((late / early - 1) * 100).toFixed(1)} %`);
});

it(`every chunk has one owner at every step of ${LEDGER_SECONDS} s of the same, as the ledger has it`, async (t) => {
  if (!requireRoot(t)) return;
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  using soak = new Soak(seed, true);
  await soak.run(LEDGER_SECONDS);
  const { sent, received } = soak.end();
  assert.ok(received > 0 && received <= sent, `${received} of ${sent} frames`);
});

/** A socket that tells where its chunks are, and what became of frames on both sides of it. */
class CountedSocket extends XdpSocket {
  readonly #end: VethEnd;
  readonly #program: BpfProgram;

  constructor(end: VethEnd, spec: XdpSocketSpec, program: BpfProgram) {
    super(spec);
    this.#end = end;
    this.#program = program;
  }

  /** That the program redirected to it. [frames] */
  get seen(): number {
    return readFlowCounters(this.#program.map(flowCountersSpec.name)).redirected;
  }

  /** That the interface dropped before it sent them; and after it received them, for whatever reason. [frames] */
  get interfaceDrops(): { readonly tx: number; readonly rx: number } {
    const table = withNetns(this.#end.namespace, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    const line = table.split('\n').find((each) => each.trim().startsWith(`${this.#end.name}:`))!;
    const columns = line.trim().split(/\s+/);
    return { tx: Number(columns[TX_DROPPED]), rx: Number(columns[RX_DROPPED]) };
  }

  /** On the fill ring, or taken off and not received yet. [chunks] */
  get lent(): number {
    return this.fillRing.lent;
  }

  /** On the tx ring, or sent and not taken back yet. [chunks] */
  get sending(): number {
    const { txFrames, txCompleted } = this.statistics();
    return txFrames - txCompleted;
  }
}

/**
 * One end sends bursts of random length; the other holds some of what it receives, gives back some, answers with some;
 * each in its own time. Every frame sent is received, or counted as dropped; every chunk is in one place.
 */
class Soak implements Disposable {
  readonly #resources = new DisposableStack();
  readonly #random: () => number;
  readonly #near: CountedSocket;
  readonly #far: CountedSocket;
  readonly #frame: Uint8Array;
  readonly #burst = new Burst(64);
  readonly #held = new Burst(MOST_HELD + 64);
  readonly #replies = new Burst(64);
  #checks = 0;

  constructor(seed: number, debug: boolean) {
    this.#random = randomNumbers(seed);
    const { a, b } = this.#resources.use(testVeth());
    this.#near = this.#open(a, debug);
    this.#far = this.#open(b, debug);
    this.#frame = udpFrame(parseMac(a.mac), parseMac(b.mac), 18, 0);
  }

  /** @returns the resident size at every second [bytes] */
  async run(seconds: number): Promise<number[]> {
    const sizes: number[] = [];
    const start = performance.now();
    for (let second = 1; second <= seconds; second++) {
      while (performance.now() < start + 1000 * second) {
        for (let i = 0; i < STEPS_BETWEEN_CHECKS; i++) this.#step();
        this.#check();
      }
      sizes.push(process.memoryUsage.rss());
      await turn();
    }
    return sizes;
  }

  /** Gives everything back, and settles the accounts: what was sent, and what became of it. */
  end(): { sent: number; received: number; dropped: number; checks: number } {
    for (let idle = 0; idle < 1000; idle++) {
      this.#send(0);
      this.#giveBack(this.#held.count);
      this.#receiveReplies();
      if (this.#far.rx(this.#burst) > 0) idle = 0;
      this.#far.recycle(this.#burst);
      this.#far.flush();
    }
    this.#check();
    assert.equal(this.#near.sending + this.#far.sending, 0, 'all that was sent is back');
    for (const [from, to] of [
      [this.#near, this.#far],
      [this.#far, this.#near],
    ] as const) {
      const { txFrames } = from.statistics();
      const { rxFrames, rxDropped, rxRingFull } = to.statistics();
      // A veth drops frames itself when its other end is behind, or without memory for them: no program sees these.
      const unseen = from.interfaceDrops.tx + to.interfaceDrops.rx - rxDropped - rxRingFull;
      assert.equal(txFrames, to.seen + unseen, 'all that was sent is seen at the other end');
      assert.equal(to.seen, rxFrames + rxDropped + rxRingFull, 'all that was seen is received, or counted');
    }
    const { rxDropped, rxRingFull, rxFrames } = this.#far.statistics();
    const sent = this.#near.statistics().txFrames;
    return { sent, received: rxFrames, dropped: rxDropped + rxRingFull, checks: this.#checks };
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #open(end: VethEnd, debug: boolean): CountedSocket {
    return withNetns(end.namespace, () => {
      const target = link(end.name);
      const umem = new Umem({ chunkCount: 1024, debug });
      // Not umem.close(), which after a failure would tell of the chunks in hand instead.
      this.#resources.defer(() => umem.region.close());
      const spec = { interface: end.name, ifindex: target.index, queue: 0, umem, rxSize: 256, txSize: 256 };
      const program = this.#resources.use(
        BpfProgram.load(flowProgramSpec({ flows: [{ port: TEST_UDP_PORT }], queues: 1 })),
      );
      const socket = this.#resources.use(new CountedSocket(end, { ...spec, mode: 'copy' }, program));
      program.map(FLOW_SOCKETS).update(0, socket.fd);
      this.#resources.use(XdpLink.attach(program, target, 'native'));
      return socket;
    });
  }

  #step(): void {
    const dice = this.#random();
    if (dice < 0.5) this.#send(this.#upTo(64));
    else if (dice < 0.9) this.#receive();
    else if (dice < 0.97) this.#giveBack(this.#upTo(this.#held.count));
    else this.#reply(this.#upTo(Math.min(32, this.#held.count)));
    if (dice > 0.95) this.#receiveReplies();
  }

  #send(count: number): void {
    const { umem } = this.#near;
    const burst = this.#burst;
    burst.clear();
    this.#near.alloc(burst, count);
    for (let i = 0; i < burst.count; i++) {
      umem.bytes.set(this.#frame, burst.addr[i]!);
      burst.len[i] = this.#frame.length;
    }
    burst.dropPrefix(this.#near.tx(burst));
    this.#near.recycle(burst);
    this.#near.flush();
  }

  /** Receives, holds some of it, and gives back the rest. */
  #receive(): void {
    const burst = this.#burst;
    this.#far.rx(burst);
    const held = Math.min(this.#upTo(burst.count), MOST_HELD - this.#held.count);
    for (let i = 0; i < held; i++) copyDescriptor(burst, i, this.#held, this.#held.count++);
    burst.dropPrefix(held);
    this.#far.recycle(burst);
  }

  #giveBack(count: number): void {
    this.#far.recycleRange(this.#held, 0, count);
    this.#held.dropPrefix(count);
  }

  /** Sends held frames back, in the chunks that they came in. */
  #reply(count: number): void {
    this.#held.dropPrefix(this.#far.txRange(this.#held, 0, count));
    this.#far.flush();
  }

  #receiveReplies(): void {
    this.#near.rx(this.#replies);
    this.#near.recycle(this.#replies);
  }

  /** Every chunk is free, lent to the kernel, on its way out, or held. */
  #check(): void {
    for (const [socket, held] of [
      [this.#near, 0],
      [this.#far, this.#held.count],
    ] as const) {
      const { pool, chunkCount } = socket.umem;
      const sum = pool.free + socket.lent + socket.sending + held;
      assert.equal(
        sum,
        chunkCount,
        `${pool.free} free, ${socket.lent} lent, ${socket.sending} sent, ${held} held`,
      );
      if (pool.ledger === null) continue;
      const { free, fill, tx, application } = pool.ledger.audit();
      assert.deepEqual([free, fill, tx, application], [pool.free, socket.lent, socket.sending, held]);
    }
    this.#checks++;
  }

  #upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1));
  }
}

/** Numbers from 0 to 1 that a seed tells: xorshift. */
function randomNumbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
