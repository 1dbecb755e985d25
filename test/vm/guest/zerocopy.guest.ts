import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Burst } from '../../../src/core/index.ts';
import type { XdpPort } from '../../../src/port/index.ts';
import { nowNs } from '../../../src/sys/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../../support/frames.ts';
import { assertZerocopy, zerocopyPair } from './zerocopyPair.ts';

const FRAMES = 2000;
/** Frames on their way in one direction, fewer than the rx ring takes: none may be lost. */
const WINDOW = 128;
const HEADERS_LEN = 42;
const DEADLINE_NS = 30e9;

describe('zero-copy AF_XDP', () => {
  it('is what both ends run in, in the driver, without a step down', (t) => {
    using pair = zerocopyPair();
    for (const port of [pair.a, pair.b]) {
      assertZerocopy(port);
      assert.equal(port.interface.attachMode, 'native');
      assert.deepEqual(port.interface.reasons, []);
      assert.match(port.report.mode, /native mode, zerocopy/);
      t.diagnostic(`${port.spec}: ${port.report.mode}`);
    }
  });

  it(`carries ${FRAMES} frames each way at once, each exactly once, and every chunk comes back`, (t) => {
    using pair = zerocopyPair();
    const there = new Direction(pair.a, pair.b);
    const back = new Direction(pair.b, pair.a);
    const startNs = nowNs();
    while (there.received < FRAMES || back.received < FRAMES) {
      there.step();
      back.step();
      assert.ok(nowNs() - startNs < DEADLINE_NS, `in time: ${there.received} there, ${back.received} back`);
    }
    const seconds = (nowNs() - startNs) / 1e9;
    for (const { from, to } of [there, back]) {
      assert.equal(from.statistics().txFrames, FRAMES);
      assert.equal(to.statistics().rxFrames, FRAMES);
      for (const [reason, count] of Object.entries(to.statistics().drops)) assert.equal(count, 0, reason);
      assert.equal(to.interface.flowCounters().redirected, FRAMES);
    }
    pair.assertAllReturned();
    t.diagnostic(`${Math.round((2 * FRAMES) / seconds)} frames/s, swapped: ${there.swapped + back.swapped}`);
  });

  it('is there again at once after a close, three times', () => {
    for (let i = 0; i < 3; i++) {
      using pair = zerocopyPair();
      const direction = i % 2 === 0 ? new Direction(pair.a, pair.b) : new Direction(pair.b, pair.a);
      const startNs = nowNs();
      while (direction.received < 32) {
        direction.step(32);
        assert.ok(nowNs() - startNs < DEADLINE_NS, `in time: ${direction.received} of 32 frames`);
      }
      pair.assertAllReturned();
    }
  });
});

/** Numbered frames from one port to another. NB: adjacent frames may be swapped by QEMU's wire, so order is only counted. */
class Direction {
  readonly from: XdpPort;
  readonly to: XdpPort;
  received = 0;
  swapped = 0;
  #sent = 0;
  #last = -1;
  readonly #seen = new Set<number>();
  readonly #burst = new Burst(32);

  constructor(from: XdpPort, to: XdpPort) {
    this.from = from;
    this.to = to;
  }

  /** Sends what the window allows, and receives what is there. */
  step(total = FRAMES): void {
    this.#send(Math.min(this.#burst.capacity, total - this.#sent, WINDOW - (this.#sent - this.received)));
    const burst = this.#burst;
    this.to.rx(burst);
    for (let i = 0; i < burst.count; i++) this.#check(burst, i);
    this.to.recycle(burst);
  }

  #send(count: number): void {
    const { from } = this;
    const burst = this.#burst;
    burst.clear();
    const taken = count > 0 ? from.alloc(burst, count) : 0;
    for (let i = 0; i < taken; i++) {
      const frame = this.#frame(this.#sent + i);
      from.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
      burst.len[i] = frame.length;
    }
    const accepted = from.tx(burst);
    burst.dropPrefix(accepted);
    from.recycle(burst);
    from.flush();
    this.#sent += accepted;
  }

  /** Lengths from the shortest frame of Ethernet, 60, to the longest, 1,514. */
  #frame(tag: number): Uint8Array {
    return udpFrame(this.from.mac, this.to.mac, 18 + ((tag * 37) % (1500 - 28 - 18 + 1)), tag);
  }

  #check(burst: Burst, i: number): void {
    const { bytes, view } = this.to.regions[burst.region[i]!]!;
    const addr = burst.addr[i]!;
    assert.equal(view.getUint16(addr + 36), TEST_UDP_PORT);
    const tag = view.getUint32(addr + HEADERS_LEN);
    assert.deepEqual(Buffer.from(bytes.subarray(addr, addr + burst.len[i]!)), Buffer.from(this.#frame(tag)));
    assert.ok(!this.#seen.has(tag), `frame ${tag} arrived twice`);
    this.#seen.add(tag);
    this.received++;
    if (tag < this.#last) this.swapped++;
    this.#last = Math.max(this.#last, tag);
  }
}
