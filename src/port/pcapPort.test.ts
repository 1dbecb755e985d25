import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { leakedFds, nowNs, PollSet, SystemError } from '../sys/index.ts';
import { CaptureError, readCapture } from '../wire/index.ts';
import { openPort } from './openPort.ts';
import { PcapPort, type PcapSpec } from './pcapPort.ts';
import type { Port } from './port.ts';

const NUM_RUNS = process.env.BAREWIRE_SOAK === '1' ? 20_000 : 300;

const folder = mkdtempSync(join(tmpdir(), 'barewire-pcap-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = (): string => join(folder, `${files++}.pcap`);

interface Record {
  readonly frame: Uint8Array;
  readonly ms?: number;
  readonly originalLen?: number;
}

/** A pcap by hand, with times in microseconds. */
function pcap(records: readonly Record[]): Uint8Array {
  const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
  const parts = [words(0xa1b2c3d4, 0x00040002, 0, 0, 65_535, 1)];
  for (const { frame, ms = 0, originalLen = frame.length } of records) {
    parts.push(words(1000 + Math.floor(ms / 1000), (ms % 1000) * 1000, frame.length, originalLen), frame);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** A pcapng by hand, of frames of 60 bytes at times in units of 10 to the power of -`digits` seconds. */
function pcapng(times: readonly bigint[], digits: number): Uint8Array {
  const words = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
  const parts = [words(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffff_ffff, 0xffff_ffff, 28)];
  parts.push(words(1, 32, 1, 0, 9 | (1 << 16), digits, 0, 32));
  for (const time of times) {
    parts.push(words(6, 92, 0, Number(time >> 32n), Number(time & 0xffff_ffffn), 60, 60), Buffer.alloc(60));
    parts.push(words(92));
  }
  return Uint8Array.from(Buffer.concat(parts));
}

function captureOf(records: readonly Record[]): string {
  const path = newFile();
  writeFileSync(path, pcap(records));
  return path;
}

const numbered = (tag: number, len = 60): Uint8Array => Uint8Array.from({ length: len }, (_, i) => tag + i);

/** Receives all frames that there are now, each joined from its pieces. */
function receive(port: Port, capacity = 8): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const burst = new Burst(capacity);
  while (port.rx(burst) > 0) {
    let pieces: Uint8Array[] = [];
    for (let i = 0; i < burst.count; i++) {
      const addr = burst.addr[i]!;
      pieces.push(port.regions[burst.region[i]!]!.bytes.slice(addr, addr + burst.len[i]!));
      if ((burst.flags[i]! & FrameFlags.continues) !== 0) continue;
      frames.push(Uint8Array.from(Buffer.concat(pieces)));
      pieces = [];
    }
    assert.equal(pieces.length, 0, 'a frame is never split between bursts');
    port.recycle(burst);
  }
  return frames;
}

function open(records: readonly Record[], spec: Partial<PcapSpec> = {}): PcapPort {
  return new PcapPort({ path: captureOf(records), debug: true, ...spec });
}

const framesIn = (path: string): Uint8Array[] => {
  const bytes = readFileSync(path);
  return [...readCapture(bytes)].map(({ offset, len }) =>
    Uint8Array.from(bytes.subarray(offset, offset + len)),
  );
};

const NO_WIRE = 'what one port writes to a file another reads once it is closed: a file is no wire';

portContract({
  name: 'pcap:',
  open: () => {
    const ports = [0, 1].map(() => open([], { out: newFile() })) as [PcapPort, PcapPort];
    return {
      a: ports[0],
      b: ports[1],
      assertAllReturned: () => {
        for (const { pool } of ports) pool.ledger!.assertNone(ChunkOwner.application);
      },
      close: () => {
        for (const port of ports) port.close();
      },
    };
  },
  skip: {
    'a frame arrives unchanged, whatever its length': NO_WIRE,
    'frames arrive in order and none is lost, in bursts of every size': NO_WIRE,
    'both directions work at once': NO_WIRE,
    'a received frame is sent back in its own chunk': NO_WIRE,
    'tx() takes a prefix, and what it refuses stays with the caller': 'a file takes everything',
    'ten times as many frames as there are chunks pass through': NO_WIRE,
    'statistics add up': NO_WIRE,
    'arm() tells whether a frame is waiting, and never that a port without fds can wake anybody': NO_WIRE,
    'a frame over several chunks arrives whole': NO_WIRE,
    'a burst that is used again shows no time and no hash of the frames before': NO_WIRE,
  },
});

describe('PcapPort', () => {
  it('hands out the frames of a capture in order, then says that it is at its end', () => {
    const frames = Array.from({ length: 100 }, (_, i) => numbered(i, 14 + i));
    using port = open(frames.map((frame) => ({ frame })));
    assert.equal(port.ended, false);
    assert.deepEqual(receive(port), frames);
    assert.equal(port.ended, true);
    assert.equal(port.rx(new Burst(1)), 0);
    const { rxFrames, rxBytes, drops } = port.statistics();
    assert.equal(rxFrames, 100);
    assert.equal(
      rxBytes,
      frames.reduce((sum, frame) => sum + frame.length, 0),
    );
    assert.deepEqual(new Set(Object.values(drops)), new Set([0]));
    port.pool.ledger!.assertNone(ChunkOwner.application);
  });

  it('has frames longer than a chunk go over several, whole in a burst or dropped', () => {
    const frames = [1, 1792, 1793, 3584, 3585, 9014, 60].map((len) => numbered(len, len));
    using port = open(frames.map((frame) => ({ frame })));
    assert.equal(port.mtu, 9000);
    assert.deepEqual(receive(port, 6), frames);
    using narrow = open(frames.map((frame) => ({ frame })));
    assert.deepEqual(receive(narrow, 2), frames.slice(0, 4).concat(frames.slice(6)));
    assert.equal(narrow.statistics().drops.chainTooLong, 2);
    using small = open(
      frames.map((frame) => ({ frame })),
      { chunkCount: 3 },
    );
    assert.deepEqual(
      receive(small, 8),
      frames.filter(({ length }) => length !== 9014),
    );
  });

  it('waits for chunks, and loses nothing meanwhile', () => {
    const frames = Array.from({ length: 10 }, (_, i) => numbered(i));
    using port = open(
      frames.map((frame) => ({ frame })),
      { chunkCount: 4 },
    );
    const held = new Burst(8);
    assert.equal(port.rx(held), 4);
    assert.equal(port.rx(new Burst(8)), 0);
    assert.equal(port.ended, false);
    port.recycle(held);
    assert.deepEqual(receive(port), frames.slice(4));
  });

  it('replays the capture as it was, whatever became of the frames', () => {
    const frames = [numbered(1), numbered(2), numbered(3)];
    using port = open(
      frames.map((frame) => ({ frame })),
      { loop: 3 },
    );
    const burst = new Burst(4);
    assert.equal(port.rx(burst), 4);
    for (let i = 0; i < 4; i++) port.regions[0]!.bytes.fill(0xee, burst.addr[i]!, burst.addr[i]! + 60);
    assert.equal(new Set(burst.addr).size, 4, 'a chunk for each');
    assert.deepEqual(receive(port), [...frames, ...frames].slice(1));
    assert.equal(port.ended, true);
    port.recycle(burst);
    assert.equal(port.statistics().rxFrames, 9);
  });

  it('leaves out frames that the capture has cut short, and says how many', () => {
    using port = open([
      { frame: numbered(1) },
      { frame: numbered(2), originalLen: 61 },
      { frame: numbered(3) },
    ]);
    assert.deepEqual(receive(port), [numbered(1), numbered(3)]);
    assert.equal(port.statistics().drops.truncated, 1);
    assert.match(port.report.reasons.join(), /^1 frames are left out/);
  });

  it('writes what is sent, frames over several chunks as one', () => {
    const out = newFile();
    const frames = [numbered(1), numbered(2, 4000), numbered(3)];
    const port = open(
      frames.map((frame) => ({ frame })),
      { out },
    );
    const burst = new Burst(16);
    assert.equal(port.rx(burst), 5);
    assert.equal(port.tx(burst), 5);
    const { txFrames, txBytes } = port.statistics();
    assert.deepEqual([txFrames, txBytes], [3, 4120]);
    assert.equal(port.pool.free, port.pool.count);
    port.flush();
    assert.deepEqual(framesIn(out), frames);
    port.close();
    port.close();
    assert.deepEqual(framesIn(out), frames);
  });

  it('discards what is sent without a file for it, counts it and says so', () => {
    using port = open([{ frame: numbered(1) }]);
    const burst = new Burst(4);
    port.rx(burst);
    assert.equal(port.tx(burst), 1);
    assert.deepEqual([port.statistics().txFrames, port.statistics().drops.noOutput], [0, 1]);
    assert.equal(port.report.mode, '1 frames at fast pace, what is sent is discarded');
    assert.equal(port.pool.free, port.pool.count);
  });

  it('keeps the recorded pace, pass after pass, and wakes a sleeper in time', () => {
    // One clock was set back: that frame follows at once.
    const records = [0, 20, 10, 40].map((ms, i) => ({ frame: numbered(i), ms }));
    using port = open(records, { pace: 'recorded', loop: 2 });
    assert.equal(port.fds.length, 1);
    const set = new PollSet(port.fds);
    assert.equal(port.arm(), false, 'the first frame is due');
    const burst = new Burst(8);
    const dueMs = [0, 20, 20, 40, 40, 60, 60, 80];
    let received = 0;
    let sleeps = 0;
    const startNs = nowNs();
    while (!port.ended && sleeps < 100) {
      if (port.rx(burst) > 0) {
        received += burst.count;
        // Late is how loaded the machine is; early is a defect.
        const nowMs = (nowNs() - startNs) / 1e6;
        assert.ok(nowMs >= dueMs[received - 1]! - 0.1, `frame ${received} arrived at ${nowMs} ms`);
        port.recycle(burst);
      } else if (port.arm()) {
        assert.equal(set.wait(1000), 1, 'woken');
        sleeps++;
      }
    }
    assert.equal(received, 8);
    assert.equal(port.arm(), true, 'nothing will ever come');
    assert.equal(set.wait(0), 0);
  });

  it('sleeps on when the next frame is centuries away, whatever the file says', () => {
    const ns = pcapng([0n, 2n ** 64n - 1n], 0);
    const path = newFile();
    writeFileSync(path, ns);
    using port = new PcapPort({ path, pace: 'recorded' });
    const burst = new Burst(2);
    assert.equal(port.rx(burst), 1);
    assert.equal(port.arm(), true);
    assert.equal(new PollSet(port.fds).wait(1), 0, 'not woken yet');
    assert.equal(port.rx(burst), 0);
  });

  it('leaves no old time or hash in a burst', () => {
    using port = open([{ frame: numbered(1) }, { frame: numbered(2, 3000) }]);
    const burst = new Burst(4, { timestamps: true, hashes: true });
    burst.timestampNs!.fill(7);
    burst.hash!.fill(7);
    assert.equal(port.rx(burst), 3);
    assert.deepEqual([...burst.timestampNs!], [0, 0, 0, 7]);
    assert.deepEqual([...burst.hash!], [0, 0, 0, 7]);
  });

  it('counts what it was given to send, and apart from it what could not be written', () => {
    const path = join(folder, 'fifo');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    using port = new PcapPort({ out: path, debug: true });
    const burst = new Burst(4);
    port.alloc(burst, 3);
    burst.len.fill(60);
    burst.flags[2] = FrameFlags.continues;
    assert.equal(port.tx(burst), 2);
    closeSync(reader);
    port.flush();
    const { txFrames, txBytes, txRefused, drops } = port.statistics();
    assert.deepEqual([txFrames, txBytes, txRefused, drops.notWritten], [2, 120, 1, 2]);
  });

  it('says what is wrong with a capture before anything is created, with the offset', () => {
    const path = newFile();
    writeFileSync(path, pcap([{ frame: numbered(1) }]).subarray(0, -1));
    const out = newFile();
    assert.throws(
      () => new PcapPort({ path, out }),
      (error) => error instanceof CaptureError && error.offset === 24,
    );
    assert.throws(() => readFileSync(out), /ENOENT/);
    assert.throws(
      () => new PcapPort({ path: join(folder, 'none') }),
      (error) => error instanceof SystemError && /^Cannot read capture .*none: ENOENT/.test(error.message),
    );
    assert.throws(() => new PcapPort({ path: folder }), /Cannot read capture .*: EISDIR/);
    const long = newFile();
    const fd = openSync(long, 'w');
    ftruncateSync(fd, 2 ** 31);
    closeSync(fd);
    assert.throws(
      () => new PcapPort({ path: long }),
      (error) =>
        error instanceof RangeError &&
        error.cause instanceof Error &&
        /at most 2147483647/.test(error.message),
    );
    rmSync(long);
    assert.deepEqual(leakedFds(), []);
  });

  it('opens captures of any bytes or throws a CaptureError inside them, and leaks nothing', () => {
    const base = pcap([{ frame: numbered(1, 20) }, { frame: numbered(2, 33) }]);
    const out = newFile();
    const ng = (): Uint8Array => {
      using port = new PcapPort({ out });
      const burst = new Burst(2);
      port.alloc(burst, 2);
      burst.len.fill(30);
      port.tx(burst);
      port.close();
      return readFileSync(out);
    };
    const seeds = [base, ng()];
    const damage = fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 255 })), { maxLength: 4 });
    const path = newFile();
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...seeds), damage, fc.nat({ max: 400 }), (seed, changes, len) => {
        const bytes = Uint8Array.from(seed);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const capture = bytes.subarray(0, len);
        writeFileSync(path, capture);
        try {
          using port = new PcapPort({ path, debug: true });
          const whole = [...readCapture(capture)].filter((frame) => frame.len >= frame.originalLen);
          assert.equal(receive(port).length, whole.length);
        } catch (error) {
          assert.ok(error instanceof CaptureError, String(error));
          assert.ok(error.offset >= 0 && error.offset <= capture.length);
          refused++;
        }
      }),
      { numRuns: NUM_RUNS },
    );
    assert.ok(refused > 0);
    assert.deepEqual(leakedFds(), []);
  });

  it('opens and closes a thousand times', () => {
    const path = captureOf([{ frame: numbered(1) }]);
    const out = newFile();
    for (let i = 0; i < 1000; i++) new PcapPort({ path, out, pace: 'recorded', chunkCount: 4 }).close();
    assert.deepEqual(leakedFds(), []);
  });
});

describe('openPort() of pcap:', () => {
  it('reads every option', () => {
    const path = captureOf([{ frame: numbered(1) }, { frame: numbered(2) }]);
    const out = newFile();
    using port = openPort(`pcap:${path}?out=${out}&pace=recorded&loop=2&chunks=8&debug=true`);
    assert.ok(port instanceof PcapPort);
    assert.equal(port.pool.count, 8);
    assert.ok(port.pool.ledger !== null);
    assert.equal(port.fds.length, 1);
    assert.equal(receive(port).length, 4);
    assert.match(port.report.mode, /^2 frames at recorded pace, what is sent is written to /);
  });

  it('refuses a capture that has parts of frames only when nothing may be weaker than asked', () => {
    const path = captureOf([{ frame: numbered(1) }, { frame: numbered(2), originalLen: 61 }]);
    const refusal =
      /^Cannot open pcap:.* as asked: 1 frames are left out: the capture has a part of each only$/;
    const out = newFile();
    assert.throws(() => openPort(`pcap:${path}?out=${out}`, { strict: true }), { message: refusal });
    assert.throws(() => openPort(`pcap:${path}?strict=true`), {
      message: new RegExp(refusal.source.replace('$', '')),
    });
    assert.throws(() => readFileSync(out), /ENOENT/, 'nothing was created');
    openPort(`pcap:${path}?strict=false`, { strict: true }).close();
    openPort(`pcap:${captureOf([{ frame: numbered(1) }])}`, { strict: true }).close();
    assert.deepEqual(leakedFds(), []);
  });

  it('needs no capture to write one', () => {
    const out = newFile();
    using port = openPort(`pcap:?out=${out}`);
    assert.equal(port.ended, true);
    assert.match(port.report.mode, /^nothing to receive/);
  });

  it('refuses what makes no sense', () => {
    const path = captureOf([]);
    assert.throws(() => openPort('pcap:'), /name a capture/);
    assert.throws(() => openPort(`pcap:${path}?out=${path}`), /would overwrite/);
    const link = newFile();
    symlinkSync(path, link);
    const hardLink = newFile();
    linkSync(path, hardLink);
    for (const other of [link, hardLink, `${folder}/./${path.slice(folder.length)}`]) {
      assert.throws(() => openPort(`pcap:${path}?out=${other}`), /would overwrite/, other);
    }
    assert.equal(readFileSync(path).length, 24);
    assert.throws(() => openPort(`pcap:${path}?pace=slow`), /pace must be fast or recorded, got "slow"/);
    assert.throws(() => openPort(`pcap:${path}?loop=0`), /loop must be a whole number from 1 on, got 0/);
  });
});
