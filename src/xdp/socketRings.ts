import type { Fd } from '../sys/index.ts';
import { bindXdp, effectiveMode, openXdpFd, registerUmem, setTxBudget, sizeSendBuffer } from './bind.ts';
import { ConsumerRing, ProducerRing, readRingOffsets, sizeRing } from './rings.ts';
import { DEFAULT_RING_SIZE, type XdpSocketSpec } from './socketSpec.ts';

/** Frames that one wake-up should send in copy mode: several bursts, and still well under a millisecond. */
const TX_BUDGET = 256;
/** What a frame on its way counts against the send buffer, at most. [bytes] */
const SEND_BUFFER_PER_FRAME = 4096;

/** A bound AF_XDP socket and its four rings, mapped: what there is to open and to close of an XdpSocket. */
export class SocketRings implements Disposable {
  readonly fd: Fd;
  readonly rx: ConsumerRing;
  readonly tx: ProducerRing;
  readonly fill: ProducerRing;
  readonly completion: ConsumerRing;
  /** what the kernel granted, read back from XDP_OPTIONS */
  readonly mode: 'zerocopy' | 'copy';
  /** frames that one wake-up sends in copy mode */
  readonly txBudget: number;

  /**
   * Opens, registers the umem, sizes, maps and binds; all or nothing.
   *
   * @throws RangeError when a size is no power of two, or the fill ring is too small
   * @throws SystemError EPERM, EBUSY (queue taken), EINVAL (no such queue), ENODEV
   */
  constructor(spec: XdpSocketSpec) {
    const { rxSize = DEFAULT_RING_SIZE, txSize = DEFAULT_RING_SIZE, needWakeup = true } = spec;
    const fillSize = spec.fillSize ?? 2 * rxSize;
    if (fillSize < 2 * rxSize) {
      throw new RangeError(
        `Cannot open AF_XDP socket: fill ring must be at least ${2 * rxSize}, got ${fillSize}`,
      );
    }
    const subject = `${spec.interface} queue ${spec.queue}`;
    using cleanup = new DisposableStack();
    this.fd = cleanup.use(openXdpFd(subject));
    const { fd } = this.fd;
    registerUmem(fd, spec.umem, subject);
    sizeRing(fd, 'rx', rxSize);
    sizeRing(fd, 'tx', txSize);
    sizeRing(fd, 'fill', fillSize);
    sizeRing(fd, 'completion', txSize);
    const offsets = readRingOffsets(fd);
    this.rx = cleanup.use(new ConsumerRing(fd, 'rx', rxSize, offsets));
    this.tx = cleanup.use(new ProducerRing(fd, 'tx', txSize, offsets));
    this.fill = cleanup.use(new ProducerRing(fd, 'fill', fillSize, offsets));
    this.completion = cleanup.use(new ConsumerRing(fd, 'completion', txSize, offsets));
    sizeSendBuffer(fd, txSize * SEND_BUFFER_PER_FRAME);
    this.txBudget = setTxBudget(fd, Math.min(txSize, TX_BUDGET));
    bindXdp(fd, spec.ifindex, spec.queue, needWakeup, subject);
    this.mode = effectiveMode(fd);
    cleanup.move();
  }

  /** Unmaps the rings and closes the socket. Idempotent. */
  close(): void {
    this.rx.close();
    this.tx.close();
    this.fill.close();
    this.completion.close();
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
