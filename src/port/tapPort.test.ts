import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portContract } from '../../test/support/portContract.ts';
import { Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { SystemError, UnixListener, UnixSocket } from '../sys/index.ts';
import { FrameCounter, FrameFile } from '../tap/index.ts';
import { openPort } from './openPort.ts';
import type { Port } from './port.ts';

// Without privileges: the two ends of a socket of whole messages stand in for two taps. test/netns has the real ones.

let pairs = 0;

/** Two frame files whose descriptors are connected. */
function wire(chunkCount = 1024): { a: FrameFile; b: FrameFile; sockets: UnixSocket[]; close: () => void } {
  const path = `@barewire-tap-${process.pid}-${pairs++}`;
  using listener = new UnixListener({ path });
  const near = UnixSocket.connect(path);
  assert.ok(near instanceof UnixSocket);
  const sockets = [near, listener.accept()!];
  const [a, b] = sockets.map(
    ({ fd }) => new FrameFile({ fd, what: 'wire', maxFrameLen: 1522, chunkCount, debug: true }),
  );
  return {
    a: a!,
    b: b!,
    sockets,
    close: () => {
      for (const each of [a!, b!, ...sockets]) each.close();
    },
  };
}

/** The port that {@link TapPort} would be on a frame file. */
function portOn(file: FrameFile, end: number, fd: number): Port {
  const { counters } = file;
  return {
    spec: 'tap:',
    report: { via: 'tap', accelerated: false, mode: 'sockets', reasons: [] },
    mac: Uint8Array.of(2, 0, 0, 0, 0, end),
    mtu: 1500,
    maxPieceLen: file.pool.chunkLen,
    regions: [file],
    fds: [fd],
    rx: (burst) => file.rx(burst),
    alloc: (burst, count) => file.alloc(burst, count),
    tx: (burst) => file.tx(burst),
    flush: () => file.assertUsable(),
    recycle: (burst) => file.recycle(burst),
    arm: () => file.arm(),
    statistics: () => ({
      rxFrames: counters[FrameCounter.rxFrames]!,
      rxBytes: counters[FrameCounter.rxBytes]!,
      txFrames: counters[FrameCounter.txFrames]!,
      txBytes: counters[FrameCounter.txBytes]!,
      txRefused: counters[FrameCounter.txRefused]!,
      drops: { txInvalid: counters[FrameCounter.txInvalid]!, rxTooLong: counters[FrameCounter.rxTooLong]! },
    }),
    close: () => file.close(),
    [Symbol.dispose]: () => file.close(),
  };
}

portContract({
  name: 'tap: over connected sockets',
  skip: {
    'a frame over several chunks arrives whole': 'a frame is read into one chunk, however it was sent',
  },
  open: () => {
    const { a, b, sockets, close } = wire();
    return {
      a: portOn(a, 1, sockets[0]!.fd),
      b: portOn(b, 2, sockets[1]!.fd),
      assertAllReturned: () => {
        for (const { pool } of [a, b]) {
          pool.ledger!.assertNone(ChunkOwner.application);
          assert.equal(pool.free, pool.count);
        }
      },
      close,
    };
  },
});

/** Takes `count` chunks and fills each with its number. */
function fill(file: FrameFile, burst: Burst, count: number, len: number): void {
  burst.clear();
  assert.equal(file.alloc(burst, count), count);
  for (let i = 0; i < count; i++) {
    file.bytes.fill(i + 1, burst.addr[i]!, burst.addr[i]! + len);
    burst.len[i] = len;
  }
}

describe('FrameFile', () => {
  it('sends a frame of several pieces as one', () => {
    const { a, b, close } = wire(70);
    const burst = new Burst(70);
    fill(a, burst, 64, 20);
    for (let i = 0; i < 63; i++) burst.flags[i] = FrameFlags.continues;
    assert.equal(a.tx(burst), 64);
    assert.equal(b.rx(burst), 1);
    assert.equal(burst.len[0], 1280);
    for (let i = 0; i < 64; i++) assert.equal(b.bytes[burst.addr[0]! + 20 * i + 19], i + 1);
    assert.equal(a.pool.free, 70);
    close();
  });

  it('loses a frame of more pieces than the kernel is given at once, and counts it', () => {
    const { a, b, close } = wire(70);
    const burst = new Burst(70);
    fill(a, burst, 66, 20);
    for (let i = 0; i < 64; i++) burst.flags[i] = FrameFlags.continues;
    assert.equal(a.tx(burst), 66);
    assert.equal(a.counters[FrameCounter.txInvalid], 1);
    assert.equal(a.counters[FrameCounter.calls], 1, 'the kernel was not asked about it');
    assert.equal(b.rx(burst), 1);
    assert.equal(b.bytes[burst.addr[0]!], 66);
    assert.equal(a.pool.free, 70);
    close();
  });

  it('leaves a frame whose last piece is not in the burst with the caller', () => {
    const { a, close } = wire(8);
    const burst = new Burst(8);
    fill(a, burst, 3, 20);
    burst.flags[1] = FrameFlags.continues;
    burst.flags[2] = FrameFlags.continues;
    assert.equal(a.tx(burst), 1);
    assert.equal(a.counters[FrameCounter.txRefused], 2);
    close();
  });

  it('loses a received frame that no chunk holds, counts it, and reads on', () => {
    const { b, sockets, close } = wire(4);
    const burst = new Burst(4);
    for (const len of [2047, 2048, 2049, 100]) sockets[0]!.send(new Uint8Array(len));
    assert.equal(b.rx(burst), 2);
    assert.deepEqual([burst.len[0], burst.len[1]], [2047, 100]);
    assert.equal(b.counters[FrameCounter.rxTooLong], 2);
    b.recycle(burst);
    assert.equal(b.pool.free, 4);
    close();
  });

  it('reads no more than there are chunks, and leaves the rest for later', () => {
    const { a, b, close } = wire(4);
    const burst = new Burst(8);
    const other = new Burst(8);
    fill(a, burst, 4, 60);
    a.tx(burst);
    fill(a, burst, 2, 60);
    a.tx(burst);
    assert.equal(b.rx(other), 4);
    assert.equal(b.rx(new Burst(8)), 0);
    assert.equal(b.arm(), false, 'two wait still');
    b.recycle(other);
    assert.equal(b.rx(other), 2);
    assert.equal(b.arm(), true);
    close();
  });

  it('counts every system call', () => {
    const { a, b, close } = wire(8);
    const burst = new Burst(8);
    fill(a, burst, 3, 60);
    a.tx(burst);
    b.rx(burst);
    assert.deepEqual([a.counters[FrameCounter.calls], b.counters[FrameCounter.calls]], [3, 4]);
    close();
  });

  it('takes no frames and throws once its descriptor is of no use', () => {
    const { a, close, sockets } = wire(8);
    const burst = new Burst(8);
    fill(a, burst, 1, 60);
    sockets[0]!.close();
    assert.throws(
      () => a.arm(),
      (error) => error instanceof SystemError && error.code === 'EBADFD',
    );
    assert.equal(a.tx(burst), 0);
    assert.throws(() => a.assertUsable(), /tap interface wire: EBADFD\. The interface was removed/);
    close();
  });

  it('has chunks for long frames', () => {
    const file = new FrameFile({ fd: 0, what: 'jumbo', maxFrameLen: 9022, chunkCount: 2 });
    assert.equal(file.pool.chunkLen, 16_384);
    file.close();
    file.close();
    const exact = new FrameFile({ fd: 0, what: 'jumbo', maxFrameLen: 2048, chunkCount: 2 });
    assert.equal(exact.pool.chunkLen, 4096);
    exact.close();
  });
});

describe('openPort()', () => {
  it('refuses options of tap: that make no sense', () => {
    assert.throws(
      () => openPort('tap:t?queues=2'),
      /no option "queues"; tap knows mtu, txqueuelen, up, address, /,
    );
    assert.throws(() => openPort('tap:t?up=yes'), /up must be true or false/);
    for (const name of ['a-name-that-is-too-long', 'ääääääää']) {
      assert.throws(() => openPort(`tap:${name}`), /want a name of 1 to 15 bytes/);
    }
  });
});
