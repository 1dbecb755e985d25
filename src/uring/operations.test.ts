import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { createMemfd, MappedRegion } from '../sys/index.ts';
import { IORING_CQE_F_MORE, IORING_CQE_F_NOTIF } from '../sys/uapi/index.ts';
import {
  EntryFlags,
  mark,
  prepAccept,
  prepAcceptMultishot,
  prepBind,
  prepCancel,
  prepCancelAll,
  prepCancelFd,
  prepClose,
  prepConnect,
  prepFsync,
  prepLinkTimeout,
  prepListen,
  prepMsgRing,
  prepNop,
  prepPoll,
  prepPollMultishot,
  prepPollRemove,
  prepRead,
  prepRecv,
  prepSend,
  prepSendZeroCopy,
  prepShutdown,
  prepSocket,
  prepTimeout,
  prepTimeoutRemove,
  prepWrite,
  Uring,
} from './index.ts';

const { EBADF, ECANCELED, ENOENT, ETIME } = constants.errno;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SHUT_WR = 1;
const POLLIN = 1;
const HI = 0x7fff_0001;

/** Memory that operations read and write: an address, a time, then data. */
const ADDRESS = 0;
const TIME = 64;
const OUT = 1024;
const IN = 2048;

interface Completion {
  readonly lo: number;
  readonly result: number;
  readonly flags: number;
}

class Rig implements Disposable {
  readonly ring = new Uring({ entries: 64 });
  readonly #memory = new MappedRegion({ len: 4096 });
  readonly bytes = new Uint8Array(this.#memory.buffer);
  readonly view = new DataView(this.#memory.buffer);

  /** Native address of an offset in the memory. */
  at(offset: number): number {
    return this.#memory.ptr + offset;
  }

  /** Submits, and waits for `count` completions. */
  wait(count: number): Completion[] {
    const found: Completion[] = [];
    for (let tries = 0; found.length < count && tries < 100; tries++) {
      assert.ok(this.ring.submitAndWait(1, 1e9) >= 0);
      const available = this.ring.peek();
      for (let i = 0; i < available; i++) {
        const slot = this.ring.slot(i);
        const [lo, hi, result, flags] = this.ring.cqes.subarray(slot, slot + 4);
        assert.equal(hi, HI);
        found.push({ lo: lo!, result: result!, flags: flags! });
      }
      this.ring.release(available);
    }
    assert.equal(found.length, count);
    return found;
  }

  /** The result of the only operation that was written. */
  result(): number {
    return this.wait(1)[0]!.result;
  }

  /** Writes 127.0.0.1 and a port. */
  address(port: number): void {
    this.view.setUint16(ADDRESS, AF_INET, true);
    this.view.setUint16(ADDRESS + 2, port);
    this.bytes.set([127, 0, 0, 1], ADDRESS + 4);
  }

  time(ns: number): void {
    this.view.setBigInt64(TIME, 0n, true);
    this.view.setBigInt64(TIME + 8, BigInt(ns), true);
  }

  /** A listening socket, and the port that it has, which is looked for. */
  listen(): { fd: number; port: number } {
    prepSocket(this.ring, AF_INET, SOCK_STREAM, 0, 1, HI);
    const fd = this.result();
    assert.ok(fd >= 0);
    for (let port = 20_000 + (process.pid % 20_000); ; port++) {
      this.address(port);
      prepBind(this.ring, fd, this.at(ADDRESS), 16, 1, HI);
      if (this.result() !== 0) continue;
      prepListen(this.ring, fd, 16, 1, HI);
      assert.equal(this.result(), 0);
      return { fd, port };
    }
  }

  /** Connects a new socket. */
  connect(port: number): number {
    prepSocket(this.ring, AF_INET, SOCK_STREAM, 0, 1, HI);
    const fd = this.result();
    this.address(port);
    prepConnect(this.ring, fd, this.at(ADDRESS), 16, 1, HI);
    assert.equal(this.result(), 0);
    return fd;
  }

  close(...fds: readonly number[]): void {
    for (const fd of fds) {
      prepClose(this.ring, fd, 1, HI);
      assert.equal(this.result(), 0);
    }
  }

  [Symbol.dispose](): void {
    this.ring.close();
    this.#memory.close();
  }
}

describe('operations of a ring', () => {
  it('open, bind, connect, accept, send, receive, shut down and close sockets', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    const client = rig.connect(listener.port);
    prepAccept(ring, listener.fd, 0, 1, HI);
    const server = rig.result();
    assert.ok(server >= 0);
    rig.bytes.fill(7, OUT, OUT + 100);
    prepSend(ring, client, rig.at(OUT), 100, 0, 1, HI);
    prepRecv(ring, server, rig.at(IN), 200, 0, 2, HI);
    const results = rig.wait(2);
    assert.deepEqual(
      new Map(results.map(({ lo, result }) => [lo, result])),
      new Map([
        [1, 100],
        [2, 100],
      ]),
    );
    assert.ok(rig.bytes.subarray(IN, IN + 100).every((byte) => byte === 7));
    prepShutdown(ring, client, SHUT_WR, 1, HI);
    assert.equal(rig.result(), 0);
    prepRecv(ring, server, rig.at(IN), 200, 0, 2, HI);
    assert.equal(rig.result(), 0, 'the end of what the client sends');
    rig.close(client, server, listener.fd);
  });

  it('accept again and again with one entry, until they are cancelled', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    prepAcceptMultishot(ring, listener.fd, 0, 9, HI);
    ring.submit();
    using beside = new Rig();
    const fds: number[] = [];
    for (let i = 0; i < 3; i++) {
      fds.push(beside.connect(listener.port));
      const [accepted] = rig.wait(1);
      assert.deepEqual([accepted!.lo, accepted!.flags & IORING_CQE_F_MORE], [9, IORING_CQE_F_MORE]);
      fds.push(accepted!.result);
    }
    prepCancelFd(ring, listener.fd, 2, HI);
    const ends = new Map(rig.wait(2).map(({ lo, result }) => [lo, result]));
    assert.deepEqual(
      ends,
      new Map([
        [9, -ECANCELED],
        [2, 1],
      ]),
    );
    rig.close(...fds, listener.fd);
  });

  it('send without a copy, and say when the memory is ours again', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    const client = rig.connect(listener.port);
    prepAccept(ring, listener.fd, 0, 1, HI);
    const server = rig.result();
    prepSendZeroCopy(ring, client, rig.at(OUT), 50, 0, 5, HI);
    prepRecv(ring, server, rig.at(IN), 200, 0, 6, HI);
    const sent = rig.wait(3).filter(({ lo }) => lo === 5);
    assert.deepEqual(
      sent.map(({ result, flags }) => [result, flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF)]),
      [
        [50, IORING_CQE_F_MORE],
        [0, IORING_CQE_F_NOTIF],
      ],
    );
    rig.close(client, server, listener.fd);
  });

  it('end in time: timeouts, linked ones, and those that are removed', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    rig.time(5e6);
    prepTimeout(ring, rig.at(TIME), 0, 0, 1, HI);
    assert.equal(rig.result(), -ETIME);
    mark(ring, prepAccept(ring, listener.fd, 0, 2, HI), EntryFlags.link);
    prepLinkTimeout(ring, rig.at(TIME), 0, 3, HI);
    assert.deepEqual(
      new Map(rig.wait(2).map(({ lo, result }) => [lo, result])),
      new Map([
        [2, -ECANCELED],
        [3, -ETIME],
      ]),
    );
    rig.time(900e6);
    prepTimeout(ring, rig.at(TIME), 0, 0, 4, HI);
    prepTimeoutRemove(ring, 4, HI, 5, HI);
    assert.deepEqual(
      new Map(rig.wait(2).map(({ lo, result }) => [lo, result])),
      new Map([
        [4, -ECANCELED],
        [5, 0],
      ]),
    );
    rig.close(listener.fd);
  });

  it('are cancelled by their user data, or all at once', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    prepAccept(ring, listener.fd, 0, 1, HI);
    prepAccept(ring, listener.fd, 0, 2, HI);
    ring.submit();
    prepCancel(ring, 1, HI, 3, HI);
    assert.deepEqual(
      new Map(rig.wait(2).map(({ lo, result }) => [lo, result])),
      new Map([
        [1, -ECANCELED],
        [3, 0],
      ]),
    );
    prepCancel(ring, 77, HI, 4, HI);
    assert.equal(rig.result(), -ENOENT);
    prepCancelAll(ring, 5, HI);
    assert.deepEqual(
      new Map(rig.wait(2).map(({ lo, result }) => [lo, result])),
      new Map([
        [2, -ECANCELED],
        [5, 1],
      ]),
    );
    rig.close(listener.fd);
  });

  it('poll once, or until they are ended', () => {
    using rig = new Rig();
    const { ring } = rig;
    const listener = rig.listen();
    prepPoll(ring, listener.fd, POLLIN, 1, HI);
    prepPollMultishot(ring, listener.fd, POLLIN, 2, HI);
    ring.submit();
    using beside = new Rig();
    const client = beside.connect(listener.port);
    const polled = rig.wait(2);
    assert.deepEqual(polled.map(({ lo, result }) => [lo, result & POLLIN]).sort(), [
      [1, POLLIN],
      [2, POLLIN],
    ]);
    prepPollRemove(ring, 2, HI, 3, HI);
    assert.deepEqual(
      new Map(rig.wait(2).map(({ lo, result }) => [lo, result])),
      new Map([
        [2, -ECANCELED],
        [3, 0],
      ]),
    );
    rig.close(client, listener.fd);
  });

  it('write a file, have it on its disk, and read it, one after the other', () => {
    using rig = new Rig();
    using file = createMemfd('uring', 0);
    const { ring } = rig;
    rig.bytes.fill(3, OUT, OUT + 1000);
    mark(ring, prepWrite(ring, file.fd, rig.at(OUT), 1000, 5, 1, HI), EntryFlags.link);
    mark(ring, prepFsync(ring, file.fd, 0, 2, HI), EntryFlags.link);
    prepRead(ring, file.fd, rig.at(IN), 2000, 0, 3, HI);
    assert.deepEqual(
      rig.wait(3).map(({ lo, result }) => [lo, result]),
      [
        [1, 1000],
        [2, 0],
        [3, 1005],
      ],
    );
    assert.deepEqual([rig.bytes[IN + 4], rig.bytes[IN + 5], rig.bytes[IN + 1004]], [0, 3, 3]);
  });

  it('are cancelled with the chain that fails before them, say nothing when told, and wait behind a drain', () => {
    using rig = new Rig();
    const { ring } = rig;
    mark(ring, prepClose(ring, 999_999, 1, HI), EntryFlags.link);
    prepNop(ring, 2, HI);
    assert.deepEqual(
      rig.wait(2).map(({ lo, result }) => [lo, result]),
      [
        [1, -EBADF],
        [2, -ECANCELED],
      ],
    );
    const listener = rig.listen();
    prepPoll(ring, listener.fd, POLLIN, 4, HI);
    mark(ring, prepNop(ring, 5, HI), EntryFlags.drain);
    assert.equal(ring.submit(), 2);
    assert.equal(ring.peek(), 0);
    using beside = new Rig();
    const client = beside.connect(listener.port);
    assert.deepEqual(
      rig.wait(2).map(({ lo }) => lo),
      [4, 5],
    );
    rig.close(client, listener.fd);
    mark(ring, prepNop(ring, 6, HI), EntryFlags.quiet);
    prepNop(ring, 7, HI);
    assert.equal(rig.wait(1)[0]!.lo, 7);
  });

  it('reach another ring', () => {
    using rig = new Rig();
    using other = new Rig();
    prepMsgRing(rig.ring, other.ring.fd, 42, 8, HI, 1, HI);
    assert.equal(rig.result(), 0);
    assert.deepEqual(
      other.wait(1).map(({ lo, result }) => [lo, result]),
      [[8, 42]],
    );
  });
});
