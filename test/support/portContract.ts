import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Burst, FrameFlags } from '../../src/core/index.ts';
import type { Port } from '../../src/port/index.ts';
import { udpFrame } from './frames.ts';

/** Two ports that are wired to each other, and how to look behind them. */
export interface PortPair {
  readonly a: Port;
  readonly b: Port;
  /** asserts that every chunk of both ports has exactly one owner, and none is with the application */
  readonly assertAllReturned: () => void;
  /** closes both, and what they stand on */
  readonly close: () => void;
}

/** What the suite needs to know of a backend. */
export interface PortContract {
  readonly name: string;
  readonly open: () => PortPair;
  /** cases that cannot run on this backend, by name, each with its reason */
  readonly skip?: Readonly<Record<string, string>>;
  /** asks for what the backend needs; skips or fails the case when it is missing */
  readonly available?: (t: TestContext) => boolean;
}

/** Polls of an idle port before the suite gives a frame up; each is bounded. */
const MAX_IDLE_POLLS = 200_000;

/** Runs every case that a port has to pass. One contract, all backends. */
export function portContract(contract: PortContract): void {
  describe(`port contract: ${contract.name}`, () => {
    for (const [name, run] of Object.entries(cases)) {
      it(name, { skip: contract.skip?.[name] ?? false }, (t) => {
        if (contract.available?.(t) === false) return;
        const pair = contract.open();
        try {
          run(pair);
          pair.assertAllReturned();
        } finally {
          pair.close();
        }
      });
    }
  });
}

const cases: Readonly<Record<string, (pair: PortPair) => void>> = {
  'rx() on a silent port empties the burst and returns 0'({ a }) {
    const burst = new Burst(8);
    burst.count = 5;
    assert.equal(a.rx(burst), 0);
    assert.equal(burst.count, 0);
  },

  'a frame arrives unchanged, whatever its length'({ a, b }) {
    for (const payloadLen of [18, 25, 33, 64, 65, 511, 512, 1000, 1400]) {
      const frame = udpFrame(a.mac, b.mac, payloadLen, payloadLen);
      sendAll(a, [frame]);
      const [received] = receive(b, 1);
      assert.deepEqual(received, frame, `payload of ${payloadLen} bytes`);
    }
  },

  'frames arrive in order and none is lost, in bursts of every size'({ a, b }) {
    for (const size of [1, 2, 3, 7, 16, 32, 64]) {
      const frames = Array.from({ length: size }, (_, i) => udpFrame(a.mac, b.mac, 40, size * 1000 + i));
      for (let round = 0; round < 10; round++) {
        sendAll(a, frames);
        assert.deepEqual(receive(b, size), frames, `burst of ${size}`);
      }
    }
  },

  'both directions work at once'({ a, b }) {
    for (let i = 0; i < 50; i++) {
      const there = udpFrame(a.mac, b.mac, 30, i);
      const back = udpFrame(b.mac, a.mac, 30, 1000 + i);
      sendAll(a, [there]);
      sendAll(b, [back]);
      assert.deepEqual(receive(b, 1), [there]);
      assert.deepEqual(receive(a, 1), [back]);
    }
  },

  'a received frame is sent back in its own chunk'({ a, b }) {
    const frame = udpFrame(a.mac, b.mac, 100, 7);
    sendAll(a, [frame]);
    const burst = new Burst(4);
    assert.equal(poll(b, burst), 1);
    const bytes = b.regions[burst.region[0]!]!.bytes;
    const addr = burst.addr[0]!;
    bytes.copyWithin(addr + 12, addr + 12, addr + 14);
    bytes.set(a.mac, addr);
    bytes.set(b.mac, addr + 6);
    assert.equal(b.tx(burst), 1);
    burst.dropPrefix(1);
    b.flush();
    const [echoed] = receive(a, 1);
    assert.deepEqual(echoed!.subarray(12), frame.subarray(12));
    settle(b);
  },

  'alloc() hands out distinct writable frames, and fewer when there are no more'({ a }) {
    const burst = new Burst(4096);
    let total = 0;
    for (let n = a.alloc(burst, 512); n > 0; n = a.alloc(burst, 512)) total += n;
    assert.ok(total >= 64, `got ${total} frames`);
    assert.equal(burst.count, total);
    const seen = new Set(burst.addr.subarray(0, total));
    assert.equal(seen.size, total);
    for (let i = 0; i < total; i++) assert.equal(burst.len[i], 0);
    a.recycle(burst);
    assert.equal(burst.count, 0);
    assert.ok(a.alloc(burst, 1) === 1, 'recycled frames can be taken again');
    a.recycle(burst);
  },

  'tx() takes a prefix, and what it refuses stays with the caller'({ a, b }) {
    const frame = udpFrame(a.mac, b.mac, 30, 1);
    const burst = new Burst(4096);
    let accepted = 0;
    let refused = 0;
    for (let round = 0; refused === 0 && round < 100; round++) {
      const count = fill(a, burst, frame, 256);
      if (count === 0) break;
      const taken = a.tx(burst);
      assert.ok(taken >= 0 && taken <= count);
      accepted += taken;
      refused += count - taken;
      burst.dropPrefix(taken);
      assert.equal(burst.count, count - taken);
      a.recycle(burst);
    }
    assert.equal(a.statistics().txFrames, accepted);
    assert.equal(a.statistics().txRefused, refused);
    drain(a, b, accepted);
    settle(a);
  },

  'ten times as many frames as there are chunks pass through'({ a, b }) {
    const probe = new Burst(4096);
    const chunks = a.alloc(probe, 4096);
    a.recycle(probe);
    const frames = Array.from({ length: 32 }, (_, i) => udpFrame(a.mac, b.mac, 20, i));
    const rounds = Math.ceil((chunks * 10) / frames.length);
    for (let round = 0; round < rounds; round++) {
      sendAll(a, frames);
      assert.equal(receive(b, frames.length).length, frames.length, `round ${round}`);
    }
  },

  'statistics add up'({ a, b }) {
    const frames = Array.from({ length: 20 }, (_, i) => udpFrame(a.mac, b.mac, 22 + i, i));
    sendAll(a, frames);
    receive(b, frames.length);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    const sent = a.statistics();
    const received = b.statistics();
    assert.deepEqual([sent.txFrames, sent.txBytes], [20, bytes]);
    assert.deepEqual([received.rxFrames, received.rxBytes], [20, bytes]);
    for (const [reason, count] of Object.entries(received.drops)) assert.equal(count, 0, reason);
  },

  'arm() tells whether a frame is waiting, and never that a port without fds can wake anybody'({ a, b }) {
    const wakes = b.fds.length > 0;
    assert.equal(b.arm(), wakes);
    sendAll(a, [udpFrame(a.mac, b.mac, 30, 1)]);
    for (let i = 0; b.arm() && i < MAX_IDLE_POLLS; i++);
    assert.equal(b.arm(), false);
    receive(b, 1);
    assert.equal(b.arm(), wakes);
  },

  'a frame over several chunks arrives whole'({ a, b }) {
    const burst = new Burst(8);
    assert.equal(a.alloc(burst, 3), 3);
    const parts = [
      udpFrame(a.mac, b.mac, 1400, 1),
      new Uint8Array(1500).fill(2),
      new Uint8Array(1300).fill(3),
    ];
    for (const [i, part] of parts.entries()) {
      a.regions[burst.region[i]!]!.bytes.set(part, burst.addr[i]!);
      burst.len[i] = part.length;
      burst.flags[i] = i < 2 ? FrameFlags.continues : 0;
    }
    assert.equal(a.tx(burst), 3);
    burst.dropPrefix(3);
    a.flush();
    // The backend may cut it elsewhere, but a piece is never handed out alone.
    const received = new Burst(4);
    const pieces = poll(b, received);
    assert.ok(pieces > 1);
    assert.deepEqual(
      Array.from(received.flags.subarray(0, pieces), (flags) => flags & FrameFlags.continues),
      Array.from({ length: pieces }, (_, i) => (i < pieces - 1 ? FrameFlags.continues : 0)),
    );
    const bytes = Array.from({ length: pieces }, (_, i) => copyOf(b, received, i));
    assert.deepEqual(Buffer.concat(bytes), Buffer.concat(parts));
    assert.equal(a.statistics().txFrames, 1);
    assert.equal(b.statistics().rxFrames, 1);
    b.recycle(received);
  },

  'a burst that is used again shows no time and no hash of the frames before'({ a, b }) {
    const burst = new Burst(4, { timestamps: true, hashes: true });
    burst.timestampNs!.fill(12_345);
    burst.hash!.fill(12_345);
    sendAll(a, [udpFrame(a.mac, b.mac, 30, 1), udpFrame(a.mac, b.mac, 30, 2)]);
    for (let received = 0; received < 2; ) {
      assert.ok(poll(b, burst) > 0);
      for (let i = 0; i < burst.count; i++) {
        assert.notEqual(burst.timestampNs![i], 12_345);
        assert.notEqual(burst.hash![i], 12_345);
      }
      received += burst.count;
      b.recycle(burst);
    }
  },

  'close() can be called twice'({ a, b }) {
    a.close();
    a.close();
    b.close();
    b.close();
  },
};

/** Fills `burst` with up to `count` copies of a frame, in chunks of the port. */
function fill(port: Port, burst: Burst, frame: Uint8Array, count: number): number {
  burst.clear();
  const taken = port.alloc(burst, count);
  for (let i = 0; i < taken; i++) {
    port.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
    burst.len[i] = frame.length;
  }
  return taken;
}

/** Sends all frames, whatever number of calls it takes. */
function sendAll(port: Port, frames: readonly Uint8Array[]): void {
  const burst = new Burst(64);
  let sent = 0;
  for (let idle = 0; sent < frames.length && idle < MAX_IDLE_POLLS; idle++) {
    burst.clear();
    const taken = port.alloc(burst, Math.min(64, frames.length - sent));
    for (let i = 0; i < taken; i++) {
      const frame = frames[sent + i]!;
      port.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
      burst.len[i] = frame.length;
    }
    const accepted = port.tx(burst);
    burst.dropPrefix(accepted);
    port.recycle(burst);
    port.flush();
    sent += accepted;
  }
  assert.equal(sent, frames.length, 'frames accepted for sending');
}

/** Polls until a burst arrives. */
function poll(port: Port, burst: Burst): number {
  for (let idle = 0; idle < MAX_IDLE_POLLS; idle++) {
    const count = port.rx(burst);
    if (count > 0) return count;
  }
  return 0;
}

/** Receives `count` frames, each a copy. */
function receive(port: Port, count: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const burst = new Burst(16);
  while (frames.length < count && poll(port, burst) > 0) {
    for (let i = 0; i < burst.count; i++) frames.push(copyOf(port, burst, i));
    port.recycle(burst);
  }
  return frames;
}

function copyOf(port: Port, burst: Burst, i: number): Uint8Array {
  const addr = burst.addr[i]!;
  return port.regions[burst.region[i]!]!.bytes.slice(addr, addr + burst.len[i]!);
}

/** Takes `count` frames off `to` while `from` goes on sending what is queued. */
function drain(from: Port, to: Port, count: number): void {
  const burst = new Burst(64);
  let received = 0;
  for (let idle = 0; received < count && idle < MAX_IDLE_POLLS; idle++) {
    from.flush();
    received += to.rx(burst);
    to.recycle(burst);
  }
  assert.equal(received, count, 'frames that arrived');
}

/** Lets a port take back the chunks that it has sent. */
function settle(port: Port): void {
  for (let i = 0; i < 10; i++) port.flush();
  port.arm();
}
