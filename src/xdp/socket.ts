import { type Burst, ChunkOwner, FrameFlags } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { SystemError } from '../sys/index.ts';
import { XDP_PKT_CONTD } from '../sys/uapi/index.ts';
import { takeSocketError } from './bind.ts';
import type { ConsumerRing, ProducerRing } from './rings.ts';
import { SocketRings } from './socketRings.ts';
import type { XdpSocketSpec } from './socketSpec.ts';
import { readStatistics, XDP_COUNTERS, XdpCounter, type XdpStatistics } from './statistics.ts';
import type { Umem } from './umem.ts';

const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const EBUSY = 16;
const ENETDOWN = 100;
const ENOBUFS = 105;
/** Ask for a pending error every so many polls that found nothing: about once a millisecond of spinning. */
const IDLE_POLLS_MASK = 0xffff;
const ETH_HEADER_LEN = 14;

/**
 * An AF_XDP socket on one nicQueue, with its four rings: frames in and out of a umem without a system call per frame.
 *
 * Receives nothing until an XDP program redirects to it ({@link XdpInterface} attaches one). One thread drives it.
 * Copy mode: the kernel copies each frame between its own buffer and a chunk.
 *
 * @source linux/if_xdp.h; Documentation/networking/af_xdp.rst
 * @since Linux 5.4
 */
export class XdpSocket implements Disposable {
  readonly interface: string;
  readonly queue: number;
  readonly umem: Umem;
  /** what the kernel granted, read back from XDP_OPTIONS */
  readonly mode: 'zerocopy' | 'copy';
  /** our counters; indexes are {@link XdpCounter} */
  readonly counters: Float64Array = new Float64Array(XDP_COUNTERS);
  readonly #rings: SocketRings;
  /** -1 once closed, so that a number reused by the kernel is never hit */
  #fd: number;
  readonly #rx: ConsumerRing;
  readonly #tx: ProducerRing;
  readonly #fill: ProducerRing;
  readonly #completion: ConsumerRing;
  readonly #region: number;
  readonly #txReserve: number;
  readonly #txBudget: number;
  #unsent = 0;
  #idlePolls = 0;

  /**
   * Opens, binds and fills: afterwards the kernel may receive into every chunk but those kept for sending.
   *
   * @throws RangeError when a ring size is no power of two or the umem has too few chunks
   * @throws SystemError EPERM, EBUSY (queue taken), EINVAL (no such queue), ENODEV; with subject and hint
   */
  constructor(spec: XdpSocketSpec) {
    const rings = new SocketRings(spec);
    this.interface = spec.interface;
    this.queue = spec.queue;
    this.umem = spec.umem;
    this.mode = rings.mode;
    this.#rings = rings;
    this.#fd = rings.fd.fd;
    this.#rx = rings.rx;
    this.#tx = rings.tx;
    this.#fill = rings.fill;
    this.#completion = rings.completion;
    this.#txBudget = rings.txBudget;
    this.#txReserve = Math.min(rings.tx.size, spec.umem.chunkCount >>> 1);
    this.#region = spec.region ?? 0;
    this.refill();
  }

  /** The descriptor, for poll(2) and the redirect map. */
  get fd(): number {
    return this.#rings.fd.fd;
  }

  /**
   * Takes up to `burst.capacity` received frames off the rx ring into `burst`, whose old contents are forgotten.
   *
   * Each chunk is then the application's: recycle or send it. Never blocks.
   *
   * @returns frames received, `burst.count` [descriptors]
   * @throws SystemError ENETDOWN once the interface is gone, noticed when nothing arrives
   * @hot one acquire load and one release store per burst
   */
  rx(burst: Burst): number {
    const cursor = this.#rx.cursor;
    const count = cursor.peek(burst.capacity);
    burst.count = count;
    if (count === 0) {
      this.#idlePolls = (this.#idlePolls + 1) & IDLE_POLLS_MASK;
      if (this.#idlePolls === 0) this.assertAlive();
      return 0;
    }
    const words = this.#rx.words;
    const addr = burst.addr;
    const len = burst.len;
    const region = burst.region;
    const flags = burst.flags;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const word = cursor.slot(i) << 2;
      const frameLen = words[word + 2]!;
      addr[i] = words[word]!;
      len[i] = frameLen;
      region[i] = this.#region;
      flags[i] = (words[word + 3]! & XDP_PKT_CONTD) !== 0 ? FrameFlags.continues : 0;
      bytes += frameLen;
    }
    cursor.release(count);
    if (this.umem.pool.ledger !== null)
      this.#moveRange(burst, 0, count, ChunkOwner.fill, ChunkOwner.application);
    const counters = this.counters;
    counters[XdpCounter.rxFrames]! += count;
    counters[XdpCounter.rxBytes]! += bytes;
    counters[XdpCounter.rxBursts]! += 1;
    return count;
  }

  /**
   * Gives the chunks of `burst` back: to the fill ring while it has room, else to the pool. Empties the burst.
   *
   * @hot one release store per burst
   */
  recycle(burst: Burst): void {
    this.recycleRange(burst, 0, burst.count);
    burst.count = 0;
  }

  /**
   * Gives back the chunks of descriptors `first` to `first + count - 1`; the burst stays as it is.
   *
   * @hot one release store
   */
  recycleRange(burst: Burst, first: number, count: number): void {
    const addr = burst.addr;
    const pool = this.umem.pool;
    const cursor = this.#fill.cursor;
    const words = this.#fill.words;
    const room = cursor.reserve(count);
    if (pool.ledger !== null) this.#moveRange(burst, first, room, ChunkOwner.application, ChunkOwner.fill);
    // In aligned mode the kernel finds the chunk by masking, so a frame's own addr will do. The upper word stays 0.
    for (let i = 0; i < room; i++) words[cursor.slot(i) << 1] = addr[first + i]!;
    cursor.submit(room);
    if (room < count) pool.putFrom(addr, first + room, count - room);
    else if (pool.free > this.#txReserve) this.refill();
  }

  /**
   * Moves free chunks from the pool to the fill ring, but for those kept for sending.
   *
   * @returns chunks moved
   * @hot
   */
  refill(): number {
    const pool = this.umem.pool;
    const cursor = this.#fill.cursor;
    const words = this.#fill.words;
    const count = cursor.reserve(Math.max(0, Math.min(pool.free - this.#txReserve, this.#fill.size)));
    const ledger = pool.ledger;
    for (let i = 0; i < count; i++) {
      const chunk = pool.take();
      words[cursor.slot(i) << 1] = chunk;
      if (ledger !== null) ledger.move(chunk, ChunkOwner.application, ChunkOwner.fill);
    }
    if (count > 0) cursor.submit(count);
    return count;
  }

  /**
   * Takes up to `count` free chunks for frames of our own; `burst.addr` is where each frame starts.
   *
   * The caller writes the frame and its `len`. Reaps completions first when the pool is short.
   *
   * @returns frames allocated, appended behind `burst.count` [descriptors]
   * @hot
   */
  alloc(burst: Burst, count: number): number {
    const pool = this.umem.pool;
    if (pool.free < count) this.reap();
    const first = burst.count;
    const taken = pool.takeInto(burst.addr, first, Math.min(count, burst.capacity - first));
    const headroom = this.umem.headroom;
    for (let i = first; i < first + taken; i++) {
      burst.addr[i]! += headroom;
      burst.len[i] = 0;
      burst.region[i] = this.#region;
      burst.flags[i] = 0;
    }
    burst.count = first + taken;
    return taken;
  }

  /**
   * Puts the frames of `burst` on the tx ring and returns how many it accepted: a prefix; the caller keeps the rest.
   *
   * Nothing is sent before {@link XdpSocket.flush}.
   *
   * @throws RangeError when a frame leaves its chunk or is shorter than an Ethernet header; none is then accepted
   * @hot one release store per burst
   */
  tx(burst: Burst): number {
    return this.txRange(burst, 0, burst.count);
  }

  /**
   * Puts descriptors `first` to `first + wanted - 1` on the tx ring, as {@link XdpSocket.tx} does with all.
   *
   * @hot one release store
   */
  txRange(burst: Burst, first: number, wanted: number): number {
    const cursor = this.#tx.cursor;
    const count = cursor.reserve(wanted);
    const words = this.#tx.words;
    const addr = burst.addr;
    const len = burst.len;
    const chunkLen = this.umem.chunkLen;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const word = cursor.slot(i) << 2;
      const frameAddr = addr[first + i]!;
      const frameLen = len[first + i]!;
      // NB: the kernel drops an invalid descriptor without completing it, and the chunk would be lost.
      if ((frameAddr & (chunkLen - 1)) + frameLen > chunkLen || frameLen < ETH_HEADER_LEN) {
        throwBadFrame(frameAddr, frameLen, chunkLen);
      }
      words[word] = frameAddr;
      words[word + 2] = frameLen;
      words[word + 3] = 0;
      bytes += frameLen;
    }
    if (this.umem.pool.ledger !== null) {
      this.#moveRange(burst, first, count, ChunkOwner.application, ChunkOwner.tx);
    }
    cursor.submit(count);
    this.#unsent += count;
    const counters = this.counters;
    counters[XdpCounter.txFrames]! += count;
    counters[XdpCounter.txBytes]! += bytes;
    counters[XdpCounter.txRefused]! += wanted - count;
    return count;
  }

  /**
   * Makes the kernel send what is on the tx ring, and takes back what it has sent.
   *
   * In copy mode it sends up to 256 frames a system call (32 before Linux 6.17), in the caller's time. Never blocks:
   * what the kernel cannot take now stays on the ring for the next call.
   *
   * @throws SystemError ENETDOWN or ENXIO once the interface is gone
   * @hot one system call per burst
   */
  flush(): void {
    if (this.#unsent === 0) return;
    const counters = this.counters;
    let calls = Math.ceil(this.#unsent / this.#txBudget) + 1;
    while (calls > 0 && this.#tx.needsWakeup() && this.#tx.cursor.free() < this.#tx.size) {
      calls--;
      counters[XdpCounter.txWakeups]! += 1;
      if (libc.sendtoPtr(this.#fd, 0, 0, MSG_DONTWAIT, 0, 0) < 0) {
        const errno = libc.errno();
        if (errno !== EAGAIN && errno !== EBUSY && errno !== ENOBUFS) this.#fail('sendto(AF_XDP)', errno);
        counters[XdpCounter.txBusy]! += 1;
        this.reap();
      }
    }
    this.#unsent = this.#tx.size - this.#tx.cursor.free();
    this.reap();
  }

  /**
   * Takes the chunks of sent frames off the completion ring, back to the pool, and refills the fill ring from there.
   *
   * @returns chunks taken
   * @hot
   */
  reap(): number {
    const cursor = this.#completion.cursor;
    const count = cursor.peek(this.#completion.size);
    if (count === 0) return 0;
    const words = this.#completion.words;
    const pool = this.umem.pool;
    const ledger = pool.ledger;
    for (let i = 0; i < count; i++) {
      const addr = words[cursor.slot(i) << 1]!;
      if (ledger !== null) ledger.move(addr, ChunkOwner.tx, ChunkOwner.completion);
      pool.put(addr);
    }
    cursor.release(count);
    this.counters[XdpCounter.txCompleted]! += count;
    if (pool.free > this.#txReserve) this.refill();
    return count;
  }

  /**
   * Wakes a receiver that ran out of chunks, and tells whether it is safe to sleep in poll(2): nothing is waiting.
   *
   * @throws SystemError ENETDOWN once the interface is gone
   */
  arm(): boolean {
    this.assertAlive();
    if (this.#fill.cursor.free() > this.#fill.size - (this.#fill.size >>> 3)) {
      this.counters[XdpCounter.fillLow]! += 1;
    }
    if (this.#fill.needsWakeup()) {
      this.counters[XdpCounter.rxWakeups]! += 1;
      libc.recvfromPtr(this.#fd, 0, 0, MSG_DONTWAIT, 0, 0);
    }
    if (this.#unsent > 0) this.flush();
    return this.#rx.cursor.available() === 0 && this.#unsent === 0;
  }

  /** Throws the socket's pending error; the kernel sets one when the interface goes away. */
  assertAlive(): void {
    const errno = takeSocketError(this.#fd);
    if (errno !== 0) this.#fail('poll(AF_XDP)', errno);
  }

  /** Everything counted since the socket was opened. */
  statistics(): XdpStatistics {
    return readStatistics(this.fd, this.counters);
  }

  /** Closes the socket and unmaps its rings; the umem stays, its owner closes it. Idempotent. */
  close(): void {
    this.#fd = -1;
    this.#rings.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fail(syscall: string, errno: number): never {
    const gone =
      'The interface went down or was removed: bring it back with `ip link` and open the socket again';
    throw new SystemError('Cannot go on with AF_XDP socket on', {
      syscall,
      errno,
      subject: `${this.interface} queue ${this.queue}`,
      ...(errno === ENETDOWN || errno === 6 ? { hint: gone } : {}),
    });
  }

  #moveRange(burst: Burst, first: number, count: number, from: ChunkOwner, to: ChunkOwner): void {
    const ledger = this.umem.pool.ledger;
    for (let i = 0; ledger !== null && i < count; i++) ledger.move(burst.addr[first + i]!, from, to);
  }
}

function throwBadFrame(addr: number, len: number, chunkLen: number): never {
  throw new RangeError(
    `Cannot send frame at ${addr} of ${len} bytes: it must be at least ${ETH_HEADER_LEN} bytes and stay in its chunk of ${chunkLen}`,
  );
}
