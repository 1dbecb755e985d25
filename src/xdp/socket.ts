import { constants } from 'node:os';
import type { Burst } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { SystemError } from '../sys/index.ts';
import { MSG_DONTWAIT } from '../sys/uapi/index.ts';
import { takeSocketError } from './bind.ts';
import type { XdpCopyMode } from './bindQueue.ts';
import { FrameRings } from './frameRings.ts';
import { SocketRings } from './socketRings.ts';
import type { XdpSocketSpec } from './socketSpec.ts';
import { readStatistics, XdpCounter, type XdpStatistics } from './statistics.ts';

const { EAGAIN, EBUSY, ENETDOWN, ENOBUFS, ENOMEM, ENXIO } = constants.errno;
/** What the kernel answers when it cannot send now. */
const TRANSIENT: ReadonlySet<number> = new Set([EAGAIN, EBUSY, ENOBUFS, ENOMEM]);
/** Ask for a pending error every so many polls that found nothing: about once a millisecond of spinning. */
const IDLE_POLLS_MASK = 0xffff;

/**
 * An AF_XDP socket on one nicQueue: frames in and out of a umem without a system call per frame.
 *
 * Receives nothing until an XDP program redirects to it ({@link XdpInterface} attaches one). One thread drives it, and
 * all others on its umem. In zero-copy mode the NIC reads and writes the chunks itself; in copy mode the kernel copies
 * each frame between its own buffer and a chunk.
 *
 * A socket that only sends has chunks on its fill ring nevertheless: some drivers keep what they cannot replace.
 *
 * @source linux/if_xdp.h; Documentation/networking/af_xdp.rst
 * @since Linux 5.4
 */
export class XdpSocket extends FrameRings implements Disposable {
  readonly interface: string;
  readonly queue: number;
  /** what the kernel granted, read back from XDP_OPTIONS */
  readonly mode: XdpCopyMode;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  readonly #rings: SocketRings;
  /** -1 once closed, so that a number reused by the kernel is never hit */
  #fd: number;
  readonly #txBudget: number;
  /** the tx ring needs a system call whatever its flag says: in copy mode, and without need_wakeup */
  readonly #sleepless: boolean;
  /** whether the driver takes chunks off the fill ring by itself, and may have to be told of new ones */
  readonly #wakeDriver: boolean;
  #busyPolling = false;
  #idleTask: (() => void) | undefined;
  #idlePolls = 0;

  /**
   * Opens, binds and fills: afterwards the kernel may receive into every chunk but those kept for sending.
   *
   * @throws TypeError when the umem cannot be shared in this way: the message says which rule stands against it
   * @throws RangeError when a ring size is no power of two, or the umem has no chunk left to receive into
   * @throws SystemError EPERM, EBUSY (queue taken), EINVAL (no such queue), ENODEV; with subject and hint
   */
  constructor(spec: XdpSocketSpec) {
    const rings = new SocketRings(spec);
    super(rings, spec.umem, { ...spec, holder: rings.holder, softwareChecksums: rings.softwareChecksums });
    this.interface = spec.interface;
    this.queue = spec.queue;
    this.mode = rings.mode;
    this.#rings = rings;
    this.#fd = rings.fd.fd;
    this.#txBudget = rings.txBudget;
    this.#sleepless = rings.mode === 'copy' || spec.needWakeup === false;
    this.#wakeDriver = rings.mode === 'zerocopy';
    const { umem } = spec;
    umem.reserveForTx(rings.tx.size);
    this.refill();
    if (rings.fill.lent === 0) {
      this.close();
      throw new RangeError(
        `Cannot open AF_XDP socket on ${spec.interface} queue ${spec.queue}: ` +
          `of ${umem.chunkCount} chunks none is left to receive into; 2 * rxSize + txSize are enough for a socket`,
      );
    }
    const { lent, size } = rings.fill;
    const few = `${lent} chunks to receive into instead of ${size}: the umem has 2 * rxSize + txSize for too few sockets`;
    const reasons = [rings.modeReason, rings.txReason, lent < size ? few : undefined];
    this.reasons = reasons.filter((reason) => reason !== undefined);
  }

  /** The descriptor, for poll(2) and the redirect map. */
  get fd(): number {
    return this.#rings.fd.fd;
  }

  /**
   * Takes up to `burst.capacity` received descriptors off the rx ring into `burst`, whose old contents are forgotten.
   *
   * As {@link FrameRings.rx}; a poll that finds nothing looks after the socket's needs.
   *
   * @throws SystemError ENETDOWN once the interface is gone, noticed when nothing arrives
   * @hot one acquire load and one release store per burst
   */
  override rx(burst: Burst): number {
    const count = super.rx(burst);
    if (count === 0) return this.#idle(burst);
    if (this.umem.pool.free > this.umem.txReserve) this.refill();
    return count;
  }

  /**
   * Has every poll that finds nothing poll the driver, and look once more.
   *
   * For a socket that busy-polls and has a NAPI to poll; without one the system calls are for nothing.
   *
   * @source Documentation/networking/napi.rst, "Busy polling"
   */
  busyPoll(): void {
    this.#busyPolling = true;
  }

  /** Has `task` called once in 65,536 polls that find nothing, until it answers true. */
  whenIdle(task: () => boolean): void {
    this.#idleTask = () => {
      if (task()) this.#idleTask = undefined;
    };
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
    if (this.unsent === 0) {
      this.reap();
      return;
    }
    const tx = this.txRing;
    const counters = this.counters;
    let wake = this.#sleepless || tx.needsWakeup();
    for (let calls = Math.ceil(this.unsent / this.#txBudget) + 1; wake && calls > 0; calls--) {
      counters[XdpCounter.txWakeups]! += 1;
      if (libc.sendtoPtr(this.#fd, 0, 0, MSG_DONTWAIT, 0, 0) < 0) {
        const errno = libc.errno();
        if (!TRANSIENT.has(errno)) this.#fail('sendto(AF_XDP)', errno);
        counters[XdpCounter.txBusy]! += 1;
        this.reap();
      }
      this.unsent = tx.size - tx.cursor.free();
      wake = this.unsent > 0 && (this.#sleepless || tx.needsWakeup());
    }
    if (!this.#sleepless) this.unsent = tx.size - tx.cursor.free();
    this.reap();
  }

  /**
   * Wakes a receiver that ran out of chunks, and tells whether it is safe to sleep in poll(2): nothing is waiting.
   *
   * @throws SystemError ENETDOWN once the interface is gone
   */
  arm(): boolean {
    this.assertAlive();
    this.reap();
    this.refill();
    this.#countFillLow();
    if (this.fillRing.needsWakeup()) this.#wakeReceiver(XdpCounter.rxWakeups);
    if (this.unsent > 0) this.flush();
    return this.rxRing.cursor.available() === 0 && this.unsent === 0;
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

  /**
   * Closes the socket and unmaps its rings; the umem stays, its owner closes it. Idempotent.
   *
   * A shared umem has the chunks that were on the rings back, and any other is to be closed as well. Chunks still in hand
   * are for another socket on the umem to recycle.
   */
  close(): void {
    if (this.#fd < 0) return;
    this.#fd = -1;
    const { umem } = this;
    umem.reserveForTx(-this.#rings.tx.size);
    this.#rings.close(
      this.unsent > 0 || this.counters[XdpCounter.txCompleted]! < this.counters[XdpCounter.txFrames]!,
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What a poll that found nothing does for the socket. @returns what it found after all */
  #idle(burst: Burst): number {
    if (this.#wakeDriver && this.fillRing.needsWakeup()) this.#wakeReceiver(XdpCounter.rxWakeups);
    this.#idlePolls = (this.#idlePolls + 1) & IDLE_POLLS_MASK;
    if (this.#idlePolls === 0) this.#look();
    if (!this.#busyPolling) return 0;
    this.#wakeReceiver(XdpCounter.busyPolls);
    return super.rx(burst);
  }

  /** What is looked after once in a while: the interface, completions that nobody asked for, chunks that came back. */
  #look(): void {
    this.assertAlive();
    this.reap();
    this.refill();
    this.#countFillLow();
    this.#idleTask?.();
  }

  #countFillLow(): void {
    const { cursor, size } = this.fillRing;
    if (cursor.free() > size - (size >>> 3)) this.counters[XdpCounter.fillLow]! += 1;
  }

  /** Has the kernel look at the fill ring, and with busy polling at the driver's queue. */
  #wakeReceiver(counter: number): void {
    this.counters[counter]! += 1;
    libc.recvfromPtr(this.#fd, 0, 0, MSG_DONTWAIT, 0, 0);
  }

  #fail(syscall: string, errno: number): never {
    const gone =
      'The interface went down or was removed: bring it back with `ip link` and open the socket again';
    throw new SystemError('Cannot go on with AF_XDP socket on', {
      syscall,
      errno,
      subject: `${this.interface} queue ${this.queue}`,
      ...(errno === ENETDOWN || errno === ENXIO ? { hint: gone } : {}),
    });
  }
}
