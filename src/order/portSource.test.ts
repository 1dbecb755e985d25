import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TEST_UDP_PORT, udpFrame } from '../../test/support/frames.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { LoopPort } from '../port/index.ts';
import { parseUdpFrame, UdpFrame } from '../wire/index.ts';
import { PortSource } from './portSource.ts';
import type { PayloadHandler } from './source.ts';

/** A handler that keeps what it got, and answers when told how. */
class Recorder implements PayloadHandler {
  readonly payloads: Uint8Array[] = [];
  bursts = 0;
  answer: ((payload: Uint8Array) => void) | undefined;

  onPayload(view: DataView, offset: number, len: number): void {
    const payload = new Uint8Array(view.buffer, view.byteOffset + offset, len).slice();
    this.payloads.push(payload);
    this.answer?.(payload);
  }

  onBurstEnd(): void {
    this.bursts++;
  }
}

function setUp(): { far: LoopPort; source: PortSource; recorder: Recorder; assertAllReturned: () => void } {
  const [far, near] = LoopPort.pair({ chunkCount: 64, debug: true });
  const recorder = new Recorder();
  const source = new PortSource(near, recorder, { udpPort: TEST_UDP_PORT, burst: 16 });
  const assertAllReturned = (): void => {
    for (const pool of far.pools) pool.ledger!.assertNone(ChunkOwner.application);
  };
  return { far, source, recorder, assertAllReturned };
}

function send(port: LoopPort, ...frames: readonly Uint8Array[]): void {
  const burst = new Burst(frames.length);
  assert.equal(port.alloc(burst, frames.length), frames.length);
  for (const [i, frame] of frames.entries()) {
    port.regions[burst.region[i]!]!.bytes.set(frame, burst.addr[i]!);
    burst.len[i] = frame.length;
  }
  assert.equal(port.tx(burst), frames.length);
}

describe('PortSource', () => {
  it('hands payloads over in order, and ends each burst once', () => {
    const { far, source, recorder, assertAllReturned } = setUp();
    send(far, ...[1, 2, 3].map((tag) => udpFrame(far.mac, far.mac, 25, tag)));
    assert.equal(source.poll(64), 3);
    assert.deepEqual(
      recorder.payloads.map((payload) => [payload.length, payload[3]]),
      [
        [25, 1],
        [25, 2],
        [25, 3],
      ],
    );
    assert.equal(recorder.bursts, 1);
    assert.equal(source.poll(64), 0);
    assert.equal(recorder.bursts, 1);
    assertAllReturned();
  });

  it('counts what it does not take under its reason, and gives the chunks back', () => {
    const { far, source, recorder, assertAllReturned } = setUp();
    const badChecksum = udpFrame(far.mac, far.mac, 25, 1);
    badChecksum[50]! ^= 1;
    const otherPort = udpFrame(far.mac, far.mac, 25, 1);
    // The checksum follows the port: one up here is one down there.
    otherPort[37]! += 1;
    otherPort[41]! -= 1;
    const arp = new Uint8Array(60);
    arp.set([0x08, 0x06], 12);
    const cut = udpFrame(far.mac, far.mac, 25, 1).subarray(0, 40);
    const fragment = udpFrame(far.mac, far.mac, 25, 1);
    fragment[20]! |= 0x20;
    fragment[24]! -= 0x20;
    send(far, badChecksum, otherPort, arp, cut, fragment);
    source.poll(64);
    assert.equal(recorder.payloads.length, 0);
    const { udpBadChecksum, notIp, ipv4Truncated, ipv4Fragment, ...rest } = source.drops();
    assert.deepEqual([udpBadChecksum, notIp, ipv4Truncated, ipv4Fragment, rest.otherPort], [1, 1, 1, 1, 1]);
    assertAllReturned();
  });

  it('counts a frame over several chunks once, as chained', () => {
    const { far, source, recorder, assertAllReturned } = setUp();
    const burst = new Burst(3);
    far.alloc(burst, 3);
    burst.len.fill(100);
    burst.flags.set([FrameFlags.continues, FrameFlags.continues, 0]);
    far.tx(burst);
    send(far, udpFrame(far.mac, far.mac, 25, 9));
    source.poll(64);
    assert.equal(source.drops().chained, 1);
    assert.equal(recorder.payloads.length, 1);
    assertAllReturned();
  });

  it('answers the sender: addresses and ports exchanged, checksums right', () => {
    const { far, source, recorder, assertAllReturned } = setUp();
    const near = Uint8Array.of(2, 0, 0, 0, 0, 2);
    recorder.answer = (payload) => {
      const at = source.reply(3);
      assert.ok(at >= 0);
      for (let i = 0; i < 3; i++) source.replyView.setUint8(at + i, payload[3]! + i);
    };
    send(far, udpFrame(far.mac, near, 25, 10), udpFrame(far.mac, near, 25, 20));
    source.poll(64);
    const burst = new Burst(4);
    assert.equal(far.rx(burst), 2);
    const frame = new UdpFrame();
    for (let i = 0; i < 2; i++) {
      const { view } = far.regions[burst.region[i]!]!;
      assert.equal(parseUdpFrame(view, burst.addr[i]!, burst.len[i]!, frame), 0);
      const { bytes } = far.regions[burst.region[i]!]!;
      assert.deepEqual(bytes.slice(burst.addr[i]!, burst.addr[i]! + 6), far.mac);
      assert.deepEqual(
        [frame.sourcePort, frame.destinationPort, frame.sourceAddress, frame.destinationAddress],
        [TEST_UDP_PORT, 40_000, '10.9.0.2', '10.9.0.1'],
      );
      const first = 10 * (i + 1);
      assert.deepEqual(
        [0, 1, 2].map((k) => view.getUint8(frame.payloadOffset + k)),
        [first, first + 1, first + 2],
      );
    }
    far.recycle(burst);
    assertAllReturned();
  });

  it('counts answers that find no room or nobody to go to, and goes on', () => {
    const { far, source, recorder, assertAllReturned } = setUp();
    const everybody = new Uint8Array(6).fill(0xff);
    recorder.answer = () => {
      assert.equal(source.reply(source.maxReplyLen + 1), -1);
      assert.equal(source.reply(8), -1);
    };
    send(far, udpFrame(far.mac, everybody, 25, 1));
    source.poll(64);
    assert.equal(source.drops().replyNoRoom, 2);
    assertAllReturned();
  });

  it('throws for no bytes whatever, and loses no chunk', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 14, maxLength: 200 }), { minLength: 1, maxLength: 16 }),
        (frames) => {
          const { far, source, recorder, assertAllReturned } = setUp();
          send(far, ...frames);
          source.poll(64);
          const refused = Object.values(source.drops()).reduce((sum, count) => sum + count, 0);
          assert.equal(recorder.payloads.length + refused, frames.length);
          assertAllReturned();
        },
      ),
    );
  });
});
