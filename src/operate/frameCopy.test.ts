import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Burst, FrameFlags } from '../core/index.ts';
import { LoopPort } from '../port/index.ts';
import { parseUdpFrame, UdpFrame, UdpFrameTemplate } from '../wire/index.ts';
import { FrameCopy } from './frameCopy.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 200;

function frameOf(len: number, vlan?: number): Uint8Array {
  const template = new UdpFrameTemplate({
    destinationMac: '02:00:00:00:00:02',
    sourceMac: '02:00:00:00:00:01',
    destinationAddress: '10.0.0.2',
    sourceAddress: '10.0.0.1',
    destinationPort: 9000,
    sourcePort: 40_000,
    ...(vlan === undefined ? {} : { vlans: [{ id: vlan, priority: 3 }] }),
  });
  const { headerLen } = template;
  const frame = new Uint8Array(headerLen + len).map((_, i) => (i - headerLen) * 7);
  template.write(new DataView(frame.buffer), 0, len);
  return frame;
}

/** A port with packets of up to `mtu` and pieces of up to `maxPieceLen` bytes. */
function portOf(mtu: number, maxPieceLen: number): LoopPort {
  const [port] = LoopPort.pair({ chunkCount: 256 });
  return Object.assign(port, { mtu, maxPieceLen });
}

interface Source {
  readonly frame: Uint8Array;
  readonly flags?: number;
  readonly vlan?: number;
  /** lengths of the pieces but the last */
  readonly cuts?: readonly number[];
}

/** Copies a frame to a port and returns the bytes and the descriptors of the copy; null when it was refused. */
function copyTo(
  port: LoopPort,
  { frame, flags = 0, vlan = 0, cuts = [] }: Source,
): { bytes: Uint8Array; out: Burst } | null {
  // Pieces in reverse order, so that none happens to follow the one before it.
  const memory = new Uint8Array((cuts.length + 1) * 4096);
  const burst = new Burst(64);
  let at = 0;
  for (const [i, cut] of [...cuts, frame.length].entries()) {
    const piece = frame.subarray(at, Math.min(at + cut, frame.length));
    burst.addr[i] = (cuts.length - i) * 4096 + 3;
    memory.set(piece, burst.addr[i]);
    burst.len[i] = piece.length;
    burst.flags[i] = flags | (i < cuts.length ? FrameFlags.continues : 0);
    burst.vlan[i] = vlan;
    at += piece.length;
  }
  const copy = new FrameCopy(port);
  const len = copy.lenOf(frame.length, burst.flags[0]!);
  const pieces = copy.piecesOf(len);
  const out = new Burst(64);
  if (pieces === 0) return null;
  assert.equal(port.alloc(out, pieces), pieces);
  if (!copy.copy([new DataView(memory.buffer)], burst, 0, len, out, 0, pieces)) return null;
  const bytes = Array.from({ length: pieces }, (_, i) => {
    assert.equal((out.flags[i]! & FrameFlags.continues) !== 0, i + 1 < pieces);
    assert.ok(out.len[i]! > 0 && out.len[i]! <= port.maxPieceLen);
    return [...port.regions[out.region[i]!]!.bytes.subarray(out.addr[i]!, out.addr[i]! + out.len[i]!)];
  });
  return { bytes: Uint8Array.from(bytes.flat()), out };
}

test('FrameCopy sends no frame that is an Ethernet header only with the tag beside it', () => {
  for (const len of [10, 13]) {
    const frame = frameOf(0).subarray(0, len);
    assert.equal(copyTo(portOf(1500, 2048), { frame, flags: FrameFlags.vlan }), null);
  }
});

test('FrameCopy puts a VLAN tag that stood beside the frame back into it', () => {
  for (const cuts of [[], [5, 6], [13], [12, 1, 300]]) {
    const source = { frame: frameOf(600), flags: FrameFlags.vlan, vlan: 0x6005, cuts };
    for (const port of [portOf(1500, 2048), portOf(9000, 300)]) {
      const copied = copyTo(port, source)!;
      assert.deepEqual(copied.bytes, frameOf(600, 5));
      assert.equal(copied.out.flags[0]! & FrameFlags.vlan, 0);
    }
  }
});

test('FrameCopy finishes a UDP checksum that was left to hardware', () => {
  const whole = frameOf(101);
  const frame = whole.slice();
  const view = new DataView(frame.buffer);
  // What Linux leaves in the field: the sum of addresses, protocol and UDP length.
  const pseudo = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 109;
  view.setUint16(40, pseudo);
  const { bytes, out } = copyTo(portOf(1500, 2048), { frame, flags: FrameFlags.checksumPartial })!;
  assert.deepEqual(bytes, whole);
  assert.equal(out.flags[0], 0);
  assert.equal(parseUdpFrame(new DataView(bytes.buffer), 0, bytes.length, new UdpFrame()), 0);
});

test('FrameCopy refuses a frame whose checksum it cannot finish', () => {
  const flags = FrameFlags.checksumPartial;
  assert.equal(copyTo(portOf(1500, 2048), { frame: new Uint8Array(60), flags }), null);
  assert.equal(copyTo(portOf(9000, 200), { frame: frameOf(600), flags }), null);
});

test('FrameCopy tells which frames a port sends, and in how many pieces', () => {
  const single = new FrameCopy(portOf(1500, 2048));
  assert.deepEqual(
    [13, 14, 1518, 1519].map((len) => single.piecesOf(len)),
    [0, 1, 1, 0],
  );
  const tight = new FrameCopy(portOf(1500, 1514));
  assert.deepEqual(
    [1514, 1515].map((len) => tight.piecesOf(len)),
    [1, 0],
  );
  const chains = new FrameCopy(portOf(9000, 2048));
  assert.deepEqual(
    [2048, 2049, 4097, 9018, 9019].map((len) => chains.piecesOf(len)),
    [1, 2, 3, 5, 0],
  );
});

test('FrameCopy copies every byte, however the pieces of both sides lie', () => {
  const cuts = fc.array(fc.nat({ max: 300 }), { maxLength: 10 });
  const vlan = fc.option(fc.nat({ max: 4095 }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.nat({ max: 1400 }),
      cuts,
      vlan,
      fc.integer({ min: 64, max: 900 }),
      (len, lens, id, piece) => {
        const frame = frameOf(len);
        const beside = id === undefined ? {} : { flags: FrameFlags.vlan, vlan: (3 << 13) | id };
        const copied = copyTo(portOf(9000, piece), { frame, cuts: lens, ...beside })!;
        assert.deepEqual(copied.bytes, frameOf(len, id));
      },
    ),
    { numRuns: RUNS },
  );
});
