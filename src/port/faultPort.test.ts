import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type PortPair, portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { FaultPort } from './faultPort.ts';
import type { FaultSpec } from './faultSpec.ts';
import { LoopPort } from './loopPort.ts';
import { openPort } from './openPort.ts';
import type { Port } from './port.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 2_000 : 300;
/** On no frame in a thousand million: everything takes the way of frames with faults. */
const HARDLY_EVER = 1e-9;

function contractPair(spec: FaultSpec): PortPair {
  const [a, b] = LoopPort.pair({ debug: true });
  const ports = [new FaultPort(a, spec), new FaultPort(b, spec)] as const;
  return {
    a: ports[0],
    b: ports[1],
    assertAllReturned: () => {
      for (const pool of a.pools) pool.ledger!.assertNone(ChunkOwner.application);
    },
    close: () => {
      ports[0].close();
      ports[1].close();
    },
  };
}

portContract({ name: 'faults: none', open: () => contractPair({}) });
portContract({ name: 'faults: hardly ever', open: () => contractPair({ corrupt: HARDLY_EVER }) });
portContract({
  name: 'faults: a nanosecond of delay',
  open: () => contractPair({ delayNs: 1, seed: 3 }),
});

/** A wire whose near end has faults, with a clock of its own; the frames that come out of it, as they come. */
class Rig {
  readonly ends: readonly [LoopPort, LoopPort];
  readonly port: FaultPort;
  readonly arrived: { readonly tag: number; readonly bytes: string; readonly pieces: number }[] = [];
  sent = 0;
  now = 0;
  readonly #from: Port;
  readonly #to: Port;

  constructor(spec: FaultSpec & { readonly on: 'rx' | 'tx' }, ringSize = 256) {
    this.ends = LoopPort.pair({ debug: true, chunkCount: 256, ringSize });
    this.port = new FaultPort(this.ends[0], spec, () => this.now);
    [this.#from, this.#to] = spec.on === 'tx' ? [this.port, this.ends[1]] : [this.ends[1], this.port];
  }

  /** Sends frames of so many pieces each; what is refused is taken back. */
  send(...pieces: readonly number[]): number {
    const burst = new Burst(64);
    for (const count of pieces) {
      const first = burst.count;
      if (this.#from.alloc(burst, count) < count) break;
      for (let i = first; i < first + count; i++) {
        const { view, bytes } = this.#from.regions[burst.region[i]!]!;
        bytes.fill(i - first, burst.addr[i]!, burst.addr[i]! + 60);
        view.setUint32(
          burst.addr[i]!,
          this.sent + burst.flags.subarray(0, first).filter((f) => f === 0).length,
        );
        burst.len[i] = 60;
        burst.flags[i] = i + 1 < first + count ? FrameFlags.continues : 0;
      }
    }
    // A frame for which there were not enough chunks is no frame.
    const accepted = this.#from.tx(burst);
    for (let i = 0; i < accepted; i++) if (burst.flags[i] === 0) this.sent++;
    burst.dropPrefix(accepted);
    this.#from.recycle(burst);
    this.#from.flush();
    return accepted;
  }

  receive(): number {
    const burst = new Burst(64);
    const count = this.#to.rx(burst);
    for (let first = 0; first < count; ) {
      let end = first + 1;
      while ((burst.flags[end - 1]! & FrameFlags.continues) !== 0) end++;
      const { view } = this.#to.regions[burst.region[first]!]!;
      const bytes: Uint8Array[] = [];
      for (let i = first; i < end; i++) {
        const at = burst.addr[i]!;
        bytes.push(this.#to.regions[burst.region[i]!]!.bytes.subarray(at, at + burst.len[i]!));
      }
      this.arrived.push({
        tag: view.getUint32(burst.addr[first]!),
        bytes: Buffer.concat(bytes).toString('hex'),
        pieces: end - first,
      });
      first = end;
    }
    this.#to.recycle(burst);
    return count;
  }

  /** Passes time until nothing is held any more. */
  settle(): void {
    for (let i = 0; i < 100; i++) {
      this.now += 1e6;
      this.port.flush();
      this.receive();
    }
  }

  close(): void {
    this.port.close();
    this.ends[1].close();
    for (const pool of this.ends[0].pools) {
      pool.ledger!.assertNone(ChunkOwner.application);
      assert.equal(pool.free, pool.count);
    }
  }
}

/** What a frame of `pieces` pieces looks like when nothing has happened to it. */
function intact(tag: number, pieces: number): string {
  const frame = Buffer.alloc(60 * pieces);
  for (let i = 0; i < pieces; i++) {
    frame.fill(i, 60 * i, 60 * (i + 1));
    frame.writeUInt32BE(tag, 60 * i);
  }
  return frame.toString('hex');
}

const step = fc.oneof(
  fc.record({ send: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 20 }) }),
  fc.record({ wait: fc.nat(2_000_000) }),
  fc.constant({ receive: true }),
);
const someOften = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }));
const anySpec = fc.record({
  loss: someOften,
  duplicate: someOften,
  reorder: someOften,
  corrupt: someOften,
  delayNs: fc.oneof(fc.constant(0), fc.nat(3_000_000)),
  seed: fc.nat(0xffff_ffff),
  on: fc.constantFrom('rx' as const, 'tx' as const),
});

function play(rig: Rig, steps: readonly object[]): void {
  for (const each of steps) {
    if ('send' in each) rig.send(...(each.send as number[]));
    else if ('wait' in each) rig.now += each.wait as number;
    else rig.receive();
  }
}

describe('FaultPort', () => {
  it('accounts for every frame, at any time, and has every chunk back in the end', () => {
    fc.assert(
      fc.property(anySpec, fc.array(step, { maxLength: 40 }), fc.boolean(), (spec, steps, settle) => {
        const rig = new Rig(spec);
        play(rig, steps);
        if (settle) rig.settle();
        while (rig.receive() > 0);
        const faults = rig.port.faults()[spec.on];
        // What the near end has not asked for yet is on the wire inside.
        assert.equal(rig.arrived.length, rig.sent - faults.lost + faults.duplicated - faults.held);
        if (settle) assert.equal(faults.held, 0);
        assert.equal(rig.port.statistics().drops.faultLoss, faults.lost);
        const times = new Map<number, number>();
        for (const { tag } of rig.arrived) times.set(tag, (times.get(tag) ?? 0) + 1);
        if (spec.corrupt === 0) for (const count of times.values()) assert.ok(count <= 2);
        rig.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('changes no byte and no order unless it is told to', () => {
    fc.assert(
      fc.property(anySpec, fc.array(step, { maxLength: 40 }), (spec, steps) => {
        const rig = new Rig({ ...spec, corrupt: 0, reorder: 0 });
        play(rig, steps);
        rig.settle();
        let last = 0;
        for (const { tag, bytes, pieces } of rig.arrived) {
          assert.ok(tag >= last, `${tag} after ${last}`);
          assert.equal(bytes, intact(tag, pieces));
          last = tag;
        }
        rig.close();
      }),
      { numRuns: RUNS },
    );
  });

  it('does the same again with the same seed', () => {
    fc.assert(
      fc.property(anySpec, fc.array(step, { maxLength: 40 }), (spec, steps) => {
        const outcomes = [1, 2].map(() => {
          const rig = new Rig(spec);
          play(rig, steps);
          rig.settle();
          rig.close();
          return { arrived: rig.arrived, faults: rig.port.faults() };
        });
        assert.deepEqual(outcomes[0], outcomes[1]);
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });

  it('does something else with another seed', () => {
    const lost = [1, 2].map((seed) => {
      const rig = new Rig({ loss: 0.5, seed, on: 'tx' });
      for (let i = 0; i < 64; i++) rig.send(1);
      rig.receive();
      return rig.arrived.map(({ tag }) => tag);
    });
    assert.notDeepEqual(lost[0], lost[1]);
  });

  for (const on of ['rx', 'tx'] as const) {
    it(`loses every frame of ${on}, twins every frame, or flips one bit of every frame`, () => {
      const frames = [1, 3, 2];
      const outcome = (spec: FaultSpec): Rig => {
        const rig = new Rig({ ...spec, on });
        rig.send(...frames);
        while (rig.receive() > 0);
        return rig;
      };
      const nothing = outcome({ loss: 1 });
      assert.equal(nothing.arrived.length, 0);
      assert.equal(nothing.port.faults()[on].lost, 3);
      const twins = outcome({ duplicate: 1 });
      assert.deepEqual(
        twins.arrived.map(({ tag, bytes }) => [tag, bytes]),
        [0, 0, 1, 1, 2, 2].map((tag) => [tag, intact(tag, frames[tag]!)]),
      );
      const damaged = outcome({ corrupt: 1 });
      assert.equal(damaged.arrived.length, 3);
      for (const [i, { bytes }] of damaged.arrived.entries()) {
        const wanted = BigInt(`0x${intact(i, frames[i]!)}`);
        const difference = wanted ^ BigInt(`0x${bytes}`);
        assert.ok(difference !== 0n && (difference & (difference - 1n)) === 0n, 'one bit');
      }
      for (const rig of [nothing, twins, damaged]) rig.close();
    });
  }

  it('has a frame overtaken by one to four others', () => {
    const rig = new Rig({ reorder: 0.1, seed: 5, on: 'tx' });
    for (let i = 0; i < 200; i++) {
      rig.send(1);
      rig.receive();
    }
    rig.settle();
    const tags = rig.arrived.map(({ tag }) => tag);
    assert.deepEqual(
      [...tags].sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, i) => i),
    );
    const overtaken = tags.map((tag, i) => tags.slice(0, i).filter((other) => other > tag).length);
    const { reordered } = rig.port.faults().tx;
    assert.ok(reordered >= 10, `${reordered} reordered`);
    // Those set aside at the same time may come in their old order.
    assert.ok(
      Math.max(...overtaken) >= 3 && Math.max(...overtaken) <= 8,
      `overtaken by ${Math.max(...overtaken)}`,
    );
  });

  it('lets a frame go on that nobody overtakes within a millisecond', () => {
    const rig = new Rig({ reorder: 1, on: 'rx' });
    rig.send(1);
    rig.now = 999_999;
    assert.equal(rig.receive(), 0);
    rig.now = 1_000_000;
    rig.now += 999_999;
    assert.equal(rig.receive(), 1);
  });

  it('delays every frame, and not longer', () => {
    const rig = new Rig({ delayNs: 5000, on: 'tx' });
    rig.send(1);
    rig.now = 3000;
    rig.send(2);
    rig.now = 4999;
    rig.port.flush();
    assert.equal(rig.receive(), 0);
    rig.now = 5000;
    rig.port.rx(new Burst(1));
    assert.equal(rig.receive(), 1, 'rx() of the sender moves what is due');
    rig.now = 8000;
    assert.equal(rig.port.arm(), false);
    assert.equal(rig.receive(), 2, 'so does arm()');
    assert.deepEqual([rig.port.faults().tx.delayed, rig.port.faults().tx.held], [2, 0]);
  });

  it('accepts nothing while the port inside refuses what it accepted before, and loses nothing', () => {
    const rig = new Rig({ corrupt: HARDLY_EVER, on: 'tx' }, 4);
    assert.equal(rig.send(1, 1, 1, 1, 1, 1), 6);
    assert.equal(rig.send(1), 0);
    assert.equal(rig.port.statistics().txRefused, 1);
    rig.settle();
    assert.equal(rig.send(1), 1);
    rig.settle();
    assert.deepEqual(
      rig.arrived.map(({ tag }) => tag),
      [0, 1, 2, 3, 4, 5, 6],
    );
    rig.close();
  });

  it('counts a twin for which there is no chunk, and sends the frame once', () => {
    const [a, b] = LoopPort.pair({ chunkCount: 1, debug: true });
    const port = new FaultPort(a, { duplicate: 1, on: 'tx' });
    const burst = new Burst(4);
    port.alloc(burst, 1);
    burst.len[0] = 60;
    assert.equal(port.tx(burst), 1);
    assert.equal(b.rx(burst), 1);
    assert.equal(port.faults().tx.notDuplicated, 1);
  });

  it('takes back the word of who verified the checksum of a frame before it was damaged', () => {
    const [a, b] = LoopPort.pair();
    const port = new FaultPort(b, { corrupt: 1, on: 'rx' });
    const burst = new Burst(4);
    a.alloc(burst, 1);
    burst.len[0] = 60;
    burst.flags[0] = FrameFlags.checksumVerified;
    a.tx(burst);
    port.rx(burst);
    assert.equal(burst.flags[0], 0);
  });

  it('drops a chain that no burst of the receiver holds, and counts it', () => {
    const [a, b] = LoopPort.pair({ debug: true });
    const port = new FaultPort(b, { corrupt: HARDLY_EVER, on: 'rx' });
    const burst = new Burst(4);
    a.alloc(burst, 4);
    burst.len.fill(60);
    burst.flags.set([FrameFlags.continues, FrameFlags.continues, 0, 0]);
    a.tx(burst);
    const small = new Burst(2);
    assert.equal(port.rx(small), 1);
    assert.equal(port.statistics().drops.faultTooLong, 1);
    port.recycle(small);
    for (const pool of a.pools) pool.ledger!.assertNone(ChunkOwner.application);
  });

  it('tells by the next flush() what sending threw, and has the chunk back', () => {
    const [a] = LoopPort.pair({ debug: true, chunkCount: 4 });
    const port = new FaultPort(
      around(a, {
        tx: () => {
          throw new RangeError('Cannot send this');
        },
      }),
      { corrupt: HARDLY_EVER, on: 'tx' },
    );
    const burst = new Burst(4);
    port.alloc(burst, 1);
    assert.equal(port.tx(burst), 1);
    assert.throws(() => port.flush(), /Cannot send this/);
    port.flush();
    assert.equal(port.statistics().drops.faultUnsendable, 1);
    assert.equal(a.pools[0]!.free, 4);
  });

  it('lets nobody sleep while it holds a frame', () => {
    for (const on of ['rx', 'tx'] as const) {
      const [a, b] = LoopPort.pair();
      let now = 0;
      const port = new FaultPort(around(a, { arm: () => true }), { delayNs: 1000, on }, () => now);
      assert.equal(port.arm(), true);
      const sender = on === 'tx' ? port : b;
      const burst = new Burst(4);
      sender.alloc(burst, 1);
      burst.len[0] = 60;
      sender.tx(burst);
      port.rx(burst);
      assert.equal(port.arm(), false, on);
      now = 1000;
      port.rx(burst);
      assert.equal(port.arm(), true, on);
    }
  });

  it('is at its end when the port inside is, and nothing is held', () => {
    const [a, b] = LoopPort.pair();
    let now = 0;
    const port = new FaultPort(around(b, { ended: true }), { delayNs: 10, on: 'rx' }, () => now);
    const burst = new Burst(4);
    a.alloc(burst, 1);
    burst.len[0] = 60;
    a.tx(burst);
    assert.equal(port.rx(burst), 0);
    assert.equal(port.ended, false);
    now = 10;
    assert.equal(port.rx(burst), 1);
    assert.equal(port.ended, true);
  });

  it('keeps every frame that it receives when there is hardly room for more', () => {
    const out = new Burst(256);
    const burst = new Burst(256);
    for (let seed = 1; seed <= 40; seed++) {
      const [a, b] = LoopPort.pair({ chunkCount: 4096 });
      const port = new FaultPort(b, { duplicate: 1, reorder: 0.9, delayNs: 1e9, seed, on: 'rx' }, () => 0);
      // Each seed comes to the last descriptors in another way, until nothing more is taken.
      for (let frames = 210 + seed; ; frames = 256) {
        out.clear();
        a.alloc(out, frames);
        out.len.fill(60);
        out.dropPrefix(a.tx(out));
        a.recycle(out);
        const before = b.statistics().rxFrames;
        port.rx(burst);
        if (b.statistics().rxFrames === before) break;
      }
      const { duplicated, held } = port.faults().rx;
      assert.equal(held, b.statistics().rxFrames + duplicated, `seed ${seed}`);
      port.close();
      a.close();
      for (const pool of a.pools) assert.equal(pool.free, pool.count, `seed ${seed}`);
    }
  });

  it('has what it held sent at once when it moves by rx() or arm(), which nobody follows by flush()', () => {
    for (const call of ['rx', 'arm'] as const) {
      const [a] = LoopPort.pair();
      let now = 0;
      let unsent = 0;
      const inner = around(a, {
        tx: (burst) => {
          unsent += burst.count;
          return a.tx(burst);
        },
        flush: () => {
          unsent = 0;
        },
      });
      const port = new FaultPort(inner, { delayNs: 10, on: 'tx' }, () => now);
      const burst = new Burst(1);
      port.alloc(burst, 1);
      burst.len[0] = 60;
      port.tx(burst);
      port.flush();
      now = 10;
      if (call === 'rx') port.rx(new Burst(1));
      else port.arm();
      assert.deepEqual([a.statistics().txFrames, unsent], [1, 0], call);
    }
  });

  it('stands around a port whose spec asks for it, and says so', () => {
    const near = openPort('loop:faulty?faults=loss:1,on:tx');
    const far = openPort('loop:faulty');
    const burst = new Burst(1);
    near.alloc(burst, 1);
    burst.len[0] = 60;
    assert.equal(near.tx(burst), 1);
    assert.equal(far.rx(burst), 0);
    assert.deepEqual(near.report.reasons, ['faults are injected: loss 1, seed 1, on tx']);
    assert.throws(() => openPort('loop:faulty?faults=loss:2'), /loss must be a part of all frames/);
  });
});

/** A port that does as another does, but for what is given. */
function around(port: Port, instead: Partial<Port>): Port {
  return {
    spec: port.spec,
    report: port.report,
    mac: port.mac,
    mtu: port.mtu,
    maxPieceLen: port.maxPieceLen,
    regions: port.regions,
    fds: port.fds,
    rx: (burst) => port.rx(burst),
    alloc: (burst, count) => port.alloc(burst, count),
    tx: (burst) => port.tx(burst),
    flush: () => port.flush(),
    recycle: (burst) => port.recycle(burst),
    arm: () => port.arm(),
    statistics: () => port.statistics(),
    close: () => port.close(),
    [Symbol.dispose]: () => port.close(),
    ...instead,
  };
}
