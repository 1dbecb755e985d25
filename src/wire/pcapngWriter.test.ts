import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CapturedFrame, readCapture } from './capture.ts';
import {
  CaptureDirection,
  PCAPNG_FRAME_OFFSET,
  pcapngHeader,
  pcapngPacketLen,
  pcapngStatistics,
  writePcapngPacket,
} from './pcapngWriter.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 300;

interface Packet {
  readonly frame: Uint8Array;
  readonly cut: number;
  readonly wallNs: bigint;
  readonly direction: CaptureDirection;
}

const halves = (ns: bigint): Uint32Array => Uint32Array.of(Number(ns & 0xffff_ffffn), Number(ns >> 32n));

/** Writes packets behind each other into memory full of junk. */
function packetBlocks(packets: readonly Packet[]): Uint8Array {
  const len = packets.reduce((sum, { frame }) => sum + pcapngPacketLen(frame.length), 0);
  const bytes = new Uint8Array(len).fill(0xee);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { frame, cut, wallNs, direction } of packets) {
    const written = writePcapngPacket(view, at, frame.length, frame.length + cut, halves(wallNs), direction);
    bytes.set(frame, at + PCAPNG_FRAME_OFFSET);
    at += written;
  }
  assert.equal(at, len);
  return bytes;
}

test('readCapture() reads back what the writer wrote', () => {
  const packet = fc.record({
    frame: fc.uint8Array({ maxLength: 200 }),
    cut: fc.nat({ max: 10_000 }),
    wallNs: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    direction: fc.constantFrom(CaptureDirection.inbound, CaptureDirection.outbound),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), fc.string({ maxLength: 40 }), (packets, name) => {
      const header = pcapngHeader({ interfaceName: name, snapLen: 0 });
      const statistics = pcapngStatistics({
        received: 2 ** 40,
        dropped: 3,
        wallTime: halves(1n),
      });
      const capture = Uint8Array.from([...header, ...packetBlocks(packets), ...statistics]);
      const read = [...readCapture(capture)];
      assert.equal(read.length, packets.length);
      for (const [i, { frame, cut, wallNs }] of packets.entries()) {
        const { offset, len, originalLen, wallTime, interfaceIndex } = read[i] as CapturedFrame;
        assert.deepEqual(capture.slice(offset, offset + len), frame);
        assert.equal(originalLen, frame.length + cut);
        assert.equal(BigInt(wallTime!.sec) * 1_000_000_000n + BigInt(wallTime!.ns), wallNs);
        assert.equal(interfaceIndex, 0);
      }
    }),
    { numRuns: NUM_RUNS },
  );
});

test('writePcapngPacket() writes every byte of its block but the frame, and none beside it', () => {
  const bytes = new Uint8Array(80).fill(0xee);
  const len = writePcapngPacket(
    new DataView(bytes.buffer),
    4,
    5,
    9,
    Uint32Array.of(0x44332211, 0x88776655),
    CaptureDirection.outbound,
  );
  assert.equal(len, pcapngPacketLen(5));
  bytes.set([1, 2, 3, 4, 5], 4 + PCAPNG_FRAME_OFFSET);
  const wanted = [
    [6, 0, 0, 0],
    [52, 0, 0, 0],
    [0, 0, 0, 0],
    [0x55, 0x66, 0x77, 0x88],
    [0x11, 0x22, 0x33, 0x44],
    [5, 0, 0, 0],
    [9, 0, 0, 0],
    [1, 2, 3, 4],
    [5, 0, 0, 0],
    [2, 0, 4, 0],
    [2, 0, 0, 0],
    [0, 0, 0, 0],
    [52, 0, 0, 0],
  ].flat();
  assert.deepEqual([...bytes], [...Array(4).fill(0xee), ...wanted, ...Array(24).fill(0xee)]);
});

test('pcapngHeader() says who writes, what the interface is, and that times are in nanoseconds', () => {
  const header = pcapngHeader({ interfaceName: 'xdp:eth0', snapLen: 256, application: 'me' });
  const wanted = [
    [0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
    [255, 255, 255, 255, 255, 255, 255, 255, 4, 0, 2, 0, 0x6d, 0x65, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0],
    [1, 0, 0, 0, 44, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0],
    [2, 0, 8, 0, ...Buffer.from('xdp:eth0'), 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0],
  ].flat();
  assert.deepEqual([...header], wanted);
});
