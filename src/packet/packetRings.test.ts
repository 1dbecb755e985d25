import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RingsInMemory } from '../../test/support/packetKernel.ts';
import { Burst, copyDescriptor, FrameFlags } from '../core/index.ts';
import { packetLayout } from './layout.ts';
import { PacketCounter } from './statistics.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;
const SIZE = 16;

const smallRings = (): RingsInMemory =>
  new RingsInMemory(packetLayout(1500, { rxSize: SIZE, txSize: SIZE }), true);

/** Receives what is there. */
function take(rings: RingsInMemory, capacity: number = SIZE): Burst {
  const burst = new Burst(capacity, { timestamps: true, hashes: true });
  burst.timestampNs!.fill(7);
  burst.hash!.fill(7);
  rings.rx(burst);
  return burst;
}

describe('packetLayout()', () => {
  it('takes slots that a frame of the MTU fits into, and fewer where they are long', () => {
    const sizes = [1500, 1900, 1964, 1965, 9000, 65_536].map((mtu) => {
      const { frameLen, rxSize, txSize } = packetLayout(mtu);
      return [mtu, frameLen, rxSize, txSize];
    });
    assert.deepEqual(sizes, [
      [1500, 2048, 2048, 1024],
      [1900, 2048, 2048, 1024],
      [1964, 2048, 2048, 1024],
      [1965, 4096, 2048, 1024],
      [9000, 16_384, 2048, 1024],
      [65_536, 131_072, 256, 128],
    ]);
  });
});

describe('PacketRings', () => {
  it('rx() tells what the status says of checksum and VLAN tag, and leaves no old time or hash', () => {
    const rings = smallRings();
    const [notReady, vlanValid, valid] = [8, 16, 128];
    for (const status of [0, notReady, vlanValid, valid, vlanValid | valid])
      rings.kernel.receive(60, status, 0x123);
    const burst = take(rings);
    const { checksumPartial, checksumVerified, vlan } = FrameFlags;
    assert.deepEqual(
      [...burst.flags.subarray(0, 5)],
      [0, checksumPartial | checksumVerified, vlan, checksumVerified, vlan | checksumVerified],
    );
    assert.equal(burst.vlan[2], 0x123);
    assert.deepEqual([...burst.timestampNs!.subarray(0, 6)], [0, 0, 0, 0, 0, 7]);
    assert.deepEqual([...burst.hash!.subarray(0, 6)], [0, 0, 0, 0, 0, 7]);
  });

  it('rx() leaves out a frame that did not fit into its slot, counts it, and gives the slot back', () => {
    const rings = smallRings();
    for (let round = 0; round < 3 * SIZE; round++) {
      rings.kernel.receive(round % 2 === 0 ? 60 : 5000);
      const burst = take(rings);
      assert.equal(burst.count, round % 2 === 0 ? 1 : 0);
      rings.recycle(burst);
    }
    assert.equal(rings.counters[PacketCounter.truncated], 24);
    assert.equal(rings.counters[PacketCounter.rxFrames], 24);
  });

  it('rx() does not take a held slot for a new frame when the ring comes round', () => {
    const rings = smallRings();
    for (let i = 0; i < SIZE; i++) rings.kernel.receive(60);
    const burst = take(rings);
    assert.equal(burst.count, SIZE);
    assert.equal(rings.ready, false);
    assert.equal(take(rings).count, 0);
    assert.equal(rings.kernel.receive(60), -1);
  });

  it('recycle() and tx() refuse a slot that was given back before', () => {
    const rings = smallRings();
    rings.kernel.receive(60);
    const burst = take(rings);
    const again = new Burst(1);
    copyDescriptor(burst, 0, again, 0);
    again.count = 1;
    rings.recycle(burst);
    assert.throws(() => rings.tx(again), { name: 'RangeError', message: /chunk that was handed out/ });
    assert.throws(() => rings.recycle(again), { name: 'RangeError', message: /given back before/ });
  });

  it('tx() refuses frames of the tx ring, across slots, and outside of the memory', () => {
    const rings = smallRings();
    const { txBase, chunkBase, len, frameLen } = rings.layout;
    rings.kernel.receive(60);
    const held = take(rings);
    const burst = new Burst(1);
    for (const [addr, length] of [
      [txBase + 32, 60],
      [chunkBase + frameLen - 10, 60],
      [len, 60],
      [0xffff_f000, 60],
      [held.addr[0]!, frameLen],
      [held.addr[0]! + frameLen, 60],
      [chunkBase, 0],
      [chunkBase, 13],
      [chunkBase, frameLen],
    ] as const) {
      burst.addr[0] = addr;
      burst.len[0] = length;
      burst.count = 1;
      assert.throws(() => rings.tx(burst), RangeError, `${length} bytes at ${addr}`);
    }
    assert.equal(rings.queued, 0);
  });

  it('frames go out in order and unharmed, whatever is invalid, held, recycled, sent back or chained', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('receive' as const), len: fc.integer({ min: 14, max: 1982 }) }),
      fc.record({ do: fc.constant('alloc' as const), len: fc.integer({ min: 14, max: 1982 }) }),
      fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('recycle' as const), at: fc.nat() }),
      fc.record({ do: fc.constant('tx' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('flush' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const rings = smallRings();
        const { kernel } = rings;
        const held: { addr: number; len: number }[] = [];
        const queued: Uint8Array[] = [];
        const bytesOf = ({ addr, len }: { addr: number; len: number }): Uint8Array =>
          rings.bytes.slice(addr, addr + len);
        let received = 0;
        let tag = 0;
        for (const step of steps) {
          if (step.do === 'receive') {
            const addr = kernel.receive(step.len);
            if (addr >= 0) rings.bytes.fill(++tag & 0xff, addr, addr + step.len);
          } else if (step.do === 'alloc') {
            const burst = new Burst(1);
            if (rings.alloc(burst, 1) === 0) continue;
            held.push({ addr: burst.addr[0]!, len: step.len });
            rings.bytes.fill(++tag & 0xff, burst.addr[0]!, burst.addr[0]! + step.len);
          } else if (step.do === 'take') {
            const burst = take(rings, step.count);
            received += burst.count;
            for (let i = 0; i < burst.count; i++) held.push({ addr: burst.addr[i]!, len: burst.len[i]! });
          } else if (step.do === 'flush') {
            rings.flush();
          } else if (held.length > 0) {
            const count = step.do === 'tx' ? step.count : 1;
            const chosen = held.splice(step.at % held.length, count);
            const burst = new Burst(chosen.length);
            for (const [i, { addr, len }] of chosen.entries()) {
              burst.addr[i] = addr;
              burst.len[i] = len;
              burst.flags[i] = i < chosen.length - 1 ? FrameFlags.continues : 0;
            }
            burst.count = chosen.length;
            if (step.do === 'recycle') {
              rings.recycle(burst);
              continue;
            }
            const whole = Buffer.concat(chosen.map(bytesOf));
            let accepted = 0;
            try {
              accepted = rings.tx(burst);
            } catch (error) {
              assert.ok(error instanceof RangeError);
              assert.ok(whole.length > 2016);
            }
            if (accepted > 0) queued.push(whole);
            else held.push(...chosen);
          }
        }
        while (rings.queued > 0) rings.flush();
        const valid = queued.filter(({ length }) => length <= kernel.maxLen);
        assert.deepEqual(
          kernel.sent,
          valid.map((frame) => new Uint8Array(frame)),
        );
        assert.equal(rings.counters[PacketCounter.txInvalid], queued.length - valid.length);
        assert.equal(rings.counters[PacketCounter.rxFrames], received);
        const inPool = held.filter(({ addr }) => addr >= rings.layout.chunkBase).length;
        assert.equal(rings.pool.ledger!.audit().free, SIZE - inPool);
        assert.equal(rings.rxLedger!.audit().application, held.length - inPool);
      }),
      { numRuns: RUNS },
    );
  });
});
