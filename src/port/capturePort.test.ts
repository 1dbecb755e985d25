import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { leakedFds, SystemError } from '../sys/index.ts';
import { CaptureDirection, readCapture } from '../wire/index.ts';
import { CapturePort, type CaptureSpec } from './capturePort.ts';
import { LoopPort } from './loopPort.ts';
import { openPort } from './openPort.ts';
import type { Port } from './port.ts';

const folder = mkdtempSync(join(tmpdir(), 'barewire-capture-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = (): string => join(folder, `${files++}.pcapng`);

const FLAGS_FROM_END = 12;

interface Captured {
  readonly frame: number[];
  readonly originalLen: number;
  readonly direction: number;
}

/** Reads a capture with our reader; the direction stands in front of the end of its block. */
function captured(path: string): Captured[] {
  const bytes = readFileSync(path);
  return [...readCapture(bytes)].map(({ offset, len, originalLen }) => {
    const blockEnd = offset + Math.ceil(len / 4) * 4 + 16;
    return {
      frame: [...bytes.subarray(offset, offset + len)],
      originalLen,
      direction: bytes.readUInt32LE(blockEnd - FLAGS_FROM_END),
    };
  });
}

/** A wire with a capturing end. */
function wire(spec: Partial<CaptureSpec> = {}): { path: string; near: CapturePort; far: LoopPort } {
  const [inner, far] = LoopPort.pair({ chunkCount: 256, debug: true });
  const path = spec.path ?? newFile();
  return { path, near: new CapturePort(inner, { ...spec, path }), far };
}

/** Sends frames of so many pieces each, numbered. @returns what was accepted [descriptors] */
function send(port: Port, frames: readonly (readonly Uint8Array[])[]): number {
  const burst = new Burst(64);
  for (const pieces of frames) {
    for (const [i, piece] of pieces.entries()) {
      assert.equal(port.alloc(burst, 1), 1);
      const at = burst.count - 1;
      port.regions[burst.region[at]!]!.bytes.set(piece, burst.addr[at]!);
      burst.len[at] = piece.length;
      burst.flags[at] = i < pieces.length - 1 ? FrameFlags.continues : 0;
    }
  }
  const accepted = port.tx(burst);
  burst.dropPrefix(accepted);
  port.recycle(burst);
  return accepted;
}

const numbered = (tag: number, len = 60): Uint8Array => Uint8Array.from({ length: len }, (_, i) => tag + i);

portContract({
  name: 'capture= around loop:',
  open: () => {
    const [a, b] = LoopPort.pair({ debug: true });
    const ends = [a, b].map((end) => new CapturePort(end, { path: newFile() })) as [CapturePort, CapturePort];
    return {
      a: ends[0],
      b: ends[1],
      assertAllReturned: () => {
        for (const pool of a.pools) pool.ledger!.assertNone(ChunkOwner.application);
      },
      close: () => {
        for (const end of ends) end.close();
      },
    };
  },
});

describe('CapturePort', () => {
  it('captures what passes in either direction, in order, with the time of day', () => {
    const { path, near, far } = wire();
    const before = Math.floor(Date.now() / 1000);
    send(near, [[numbered(1)], [numbered(2, 61)]]);
    send(far, [[numbered(3)]]);
    const burst = new Burst(4);
    assert.equal(near.rx(burst), 1);
    near.recycle(burst);
    near.close();
    assert.deepEqual(captured(path), [
      { frame: [...numbered(1)], originalLen: 60, direction: CaptureDirection.outbound },
      { frame: [...numbered(2, 61)], originalLen: 61, direction: CaptureDirection.outbound },
      { frame: [...numbered(3)], originalLen: 60, direction: CaptureDirection.inbound },
    ]);
    for (const { wallTime } of readCapture(readFileSync(path))) {
      assert.ok(wallTime!.sec >= before && wallTime!.sec <= before + 5, String(wallTime!.sec));
    }
  });

  it('captures no frame that was not accepted, and each once', () => {
    const [inner, far] = LoopPort.pair({ ringSize: 4 });
    const path = newFile();
    const near = new CapturePort(inner, { path });
    assert.equal(
      send(
        near,
        [1, 2, 3, 4, 5, 6].map((tag) => [numbered(tag)]),
      ),
      4,
    );
    assert.equal(send(near, [[numbered(7)]]), 0);
    far.recycle(fill(far, new Burst(8)));
    assert.equal(send(near, [[numbered(5)], [numbered(6)]]), 2);
    assert.equal(near.statistics().txRefused, 3);
    near.close();
    assert.deepEqual(
      captured(path).map(({ frame }) => frame[0]),
      [1, 2, 3, 4, 5, 6],
    );
  });

  it('captures a frame over several chunks as one', () => {
    const { path, near } = wire();
    const pieces = [numbered(1, 99), numbered(2, 1), numbered(3, 50)];
    assert.equal(send(near, [pieces, [numbered(9)]]), 4);
    near.close();
    const [first, second] = captured(path);
    assert.deepEqual(
      first!.frame,
      pieces.flatMap((piece) => [...piece]),
    );
    assert.equal(first!.originalLen, 150);
    assert.deepEqual(second!.frame, [...numbered(9)]);
  });

  it('forgets the frames whose sending threw', () => {
    const [inner] = LoopPort.pair();
    const path = newFile();
    const near = new CapturePort(inner, { path, bufferLen: 4096 });
    const tx = mock.method(inner, 'tx', () => {
      throw new RangeError('no');
    });
    const burst = new Burst(5);
    near.alloc(burst, 5);
    burst.len.fill(1000);
    assert.throws(() => near.tx(burst), /no/);
    assert.equal(burst.count, 5, 'those too that the buffer has no room for');
    tx.mock.restore();
    near.recycle(burst);
    send(near, [[numbered(5)]]);
    near.close();
    assert.deepEqual(
      captured(path).map(({ frame }) => frame),
      [[...numbered(5)]],
    );
  });

  it('puts back a VLAN tag that stands beside its frame', () => {
    const { path, near, far } = wire();
    const sent = new Burst(2);
    near.alloc(sent, 2);
    near.regions[0]!.bytes.set(numbered(1), sent.addr[0]!);
    near.regions[0]!.bytes.set(numbered(100, 20), sent.addr[1]!);
    sent.len.set([60, 20]);
    sent.flags.set([FrameFlags.vlan | FrameFlags.continues, 0]);
    sent.vlan[0] = 0x2005;
    assert.equal(near.tx(sent), 2);
    far.close();
    near.close();
    const frame = [...numbered(1), ...numbered(100, 20)];
    const [only] = captured(path);
    assert.deepEqual(only!.frame, [...frame.slice(0, 12), 0x81, 0, 0x20, 0x05, ...frame.slice(12)]);
    assert.equal(only!.originalLen, 84);
  });

  it('cuts frames at snapLen, tagged ones and chains too', () => {
    const { path, near } = wire({ snapLen: 64 });
    send(near, [[numbered(1, 64)], [numbered(1, 65)], [numbered(1, 40), numbered(41, 40)]]);
    near.close();
    assert.deepEqual(
      captured(path).map(({ frame, originalLen }) => [frame.length, originalLen]),
      [
        [64, 64],
        [64, 65],
        [64, 80],
      ],
    );
    assert.deepEqual(captured(path)[2]!.frame, [...numbered(1, 64)]);
  });

  it('takes of a burst only as much as the buffer holds, and all of it in the end', () => {
    const { path, near } = wire({ bufferLen: 4096 });
    const frames = Array.from({ length: 5 }, (_, i) => [numbered(i, 1000)]);
    assert.equal(send(near, frames), 3);
    assert.equal(near.statistics().txRefused, 2);
    assert.equal(send(near, frames.slice(3)), 2);
    near.close();
    assert.deepEqual(
      captured(path).map(({ frame }) => frame),
      frames.map(([frame]) => [...frame!]),
    );
  });

  it('captures bursts of any shape, whatever the buffer', () => {
    const shape = fc.array(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 4 }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(shape, fc.integer({ min: 4096, max: 9000 }), (lens, bufferLen) => {
        const { path, near, far } = wire({ bufferLen });
        const frames = lens.map((pieces, i) => pieces.map((len, j) => numbered(i + j, len)));
        const wanted = frames.map((pieces) => pieces.flatMap((piece) => [...piece]));
        let done = 0;
        for (let tries = 0; done < frames.length && tries < 100; tries++) {
          const accepted = send(far, frames.slice(done));
          for (let left = accepted; left > 0; done++) left -= frames[done]!.length;
          // Several bursts, so that some find the buffer filled by those before.
          const burst = new Burst(8);
          while (near.rx(burst) > 0) near.recycle(burst);
        }
        near.close();
        assert.deepEqual(
          captured(path).map(({ frame }) => frame),
          wanted,
        );
        rmSync(path);
      }),
      { numRuns: process.env.BAREWIRE_SOAK === '1' ? 5000 : 50 },
    );
  });

  it('writes whole blocks by flush(), by arm() and after many empty polls, so that the file can be read while it grows', () => {
    const { path, near } = wire();
    assert.equal(captured(path).length, 0);
    send(near, [[numbered(1)]]);
    near.flush();
    assert.equal(captured(path).length, 1);
    send(near, [[numbered(2)]]);
    near.arm();
    assert.equal(captured(path).length, 2);
    send(near, [[numbered(3)]]);
    const burst = new Burst(1);
    for (let polls = 0; polls < 65_536; polls++) near.rx(burst);
    assert.equal(captured(path).length, 3);
    near.close();
  });

  it('creates the file for its owner alone, and overwrites what was there', () => {
    const path = newFile();
    const { near } = wire({ path });
    near.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    writeFileSync(path, 'x'.repeat(100_000));
    wire({ path }).near.close();
    assert.equal(captured(path).length, 0);
  });

  it('goes on without the capture when it cannot be written, counts what is missing and says why', () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { near, far } = wire({ path });
    send(near, [[numbered(1)]]);
    near.flush();
    const got = Buffer.alloc(4096);
    assert.ok(readSync(reader, got) > 100);
    assert.match(near.report.reasons.join(), /^capturing to .*fifo: each frame is copied$/);
    send(near, [[numbered(2)], [numbered(3)]]);
    closeSync(reader);
    near.flush();
    assert.equal(near.statistics().notCaptured, 2);
    assert.match(
      near.report.reasons.join(),
      /fifo ended after 1 frames, 2 more have passed: Cannot write capture .*: EPIPE/,
    );
    assert.equal(send(near, [[numbered(4)]]), 1);
    const { captured, notCaptured, txFrames, drops } = near.statistics();
    assert.deepEqual([captured, notCaptured, txFrames], [1, 3, 4]);
    assert.deepEqual(drops, { chainTooLong: 0, peerClosed: 0 }, 'what is not recorded is not lost');
    assert.equal(far.rx(new Burst(8)), 4);
    near.close();
  });

  it('says what is wrong with the file before anything passes', () => {
    const full = (): unknown => wire({ path: '/dev/full' });
    assert.throws(full, (error) => error instanceof SystemError && error.code === 'ENOSPC');
    assert.throws(() => wire({ path: join(folder, 'no', 'such') }), /Cannot create capture .*: ENOENT/);
    assert.throws(() => wire({ snapLen: 63 }), /snaplen must be at least 64 bytes, got 63/);
    assert.throws(() => wire({ bufferLen: 10 }), /buffer must be at least 4096 bytes, got 10/);
  });
});

describe('openPort() with capture=', () => {
  it('wraps a port of any scheme, with settings', () => {
    const path = newFile();
    const port = openPort(`loop:cap?capture=${path},snaplen:100,buffer:8192&chunks=8`);
    assert.ok(port instanceof CapturePort);
    assert.equal(port.report.via, 'loop');
    send(port, [[numbered(1, 200)]]);
    port.close();
    assert.deepEqual(
      captured(path).map(({ frame }) => frame.length),
      [100],
    );
  });

  it('closes the port when the file cannot be created', () => {
    assert.throws(() => openPort('loop:unwrapped?capture=/dev/full'), /Cannot write capture .*: ENOSPC/);
    using other = openPort('loop:unwrapped');
    send(other, [[numbered(1)]]);
    assert.equal(other.statistics().drops.peerClosed, 1);
    assert.deepEqual(leakedFds(), []);
  });

  it('refuses what makes no sense, and names it among the options', () => {
    assert.throws(() => openPort('loop:c1?capture='), /capture must name a file/);
    assert.throws(
      () => openPort('loop:c2?capture=x,snap:3'),
      /capture takes FILE,snaplen:BYTES.* got "snap:3"/,
    );
    assert.throws(
      () => openPort('loop:c3?colour=red'),
      /loop knows chunks, ring, debug; every port knows .*capture/,
    );
  });
});

function fill(port: Port, burst: Burst): Burst {
  port.rx(burst);
  return burst;
}
