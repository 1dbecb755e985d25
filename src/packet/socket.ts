import { constants } from 'node:os';
import type { Burst } from '../core/index.ts';
import { libc } from '../ffi/index.ts';
import { check, type Link, SystemError } from '../sys/index.ts';
import {
  MSG_DONTWAIT,
  PACKET_STATISTICS,
  SO_ERROR,
  SOL_PACKET,
  SOL_SOCKET,
  sockaddr_ll,
  tpacket_stats,
} from '../sys/uapi/index.ts';
import { type OpenedPacketSocket, openPacketSocket } from './open.ts';
import { PacketRings } from './packetRings.ts';
import type { PacketSocketSpec } from './socketSpec.ts';
import { namedCounters, PacketCounter, type PacketStatistics } from './statistics.ts';

const { EAGAIN, EBUSY, ENETDOWN, ENOBUFS, ENOMEM, ENXIO } = constants.errno;
/** What the kernel answers when it cannot send now. */
const TRANSIENT: ReadonlySet<number> = new Set([EAGAIN, EBUSY, ENOBUFS, ENOMEM]);
/** Ask whether the interface is there every so many polls that found nothing: about once a millisecond of spinning. */
const IDLE_POLLS_MASK = 0xffff;

/**
 * An AF_PACKET socket with TPACKET_V2 rings on one interface: frames in and out without a system call per frame.
 *
 * The kernel's network stack processes every frame as well. Frames that this host sends on the interface are not
 * received. While the interface is down nothing arrives and flush() throws; it goes on when the interface is up again.
 *
 * @source packet(7); linux/if_packet.h
 * @since Linux 4.20, for PACKET_IGNORE_OUTGOING
 */
export class PacketSocket extends PacketRings implements Disposable {
  /** the interface as it was when the socket was opened */
  readonly link: Link;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  readonly #opened: OpenedPacketSocket;
  /** -1 once closed, so that a number reused by the kernel is never hit */
  #fd: number;
  #idlePolls = 0;

  /** Opens and binds the socket. @throws what {@link openPacketSocket} throws */
  constructor(spec: PacketSocketSpec) {
    const opened = openPacketSocket(spec);
    super(opened.region.buffer, opened.layout, spec.debug ?? false);
    this.#opened = opened;
    this.#fd = opened.fd.fd;
    this.link = opened.link;
    this.reasons = opened.reasons;
  }

  /** The descriptor, for poll(2); readable until the frame that came last is given back. */
  get fd(): number {
    return this.#opened.fd.fd;
  }

  /**
   * As {@link PacketRings.rx}; once in a while, when nothing arrives, it asks whether the interface is still there.
   *
   * @throws SystemError ENETDOWN once the interface was removed
   * @hot
   */
  override rx(burst: Burst): number {
    const count = super.rx(burst);
    if (count > 0) return count;
    this.#idlePolls = (this.#idlePolls + 1) & IDLE_POLLS_MASK;
    if (this.#idlePolls === 0) this.assertAlive();
    return 0;
  }

  /**
   * Has the kernel send what is on the tx ring, in the caller's time.
   *
   * Never blocks: what the kernel cannot take now stays on the ring for the next call.
   *
   * @throws SystemError ENETDOWN or ENXIO while the interface is down, and once it was removed
   * @hot one system call per burst
   */
  flush(): void {
    let invalid = 1;
    for (let tries = 2; this.unsent > 0 && invalid > 0 && tries > 0; ) {
      this.counters[PacketCounter.txWakeups]! += 1;
      const errno = libc.sendtoPtr(this.#fd, 0, 0, MSG_DONTWAIT, 0, 0) < 0 ? libc.errno() : 0;
      // The call ends at a frame that cannot be sent; the next one goes on behind it.
      invalid = this.settle();
      if (errno === 0 || invalid > 0) continue;
      if (TRANSIENT.has(errno)) {
        this.counters[PacketCounter.txBusy]! += 1;
        return;
      }
      // NB: the first call after the interface went down tells of that, although it may be up again.
      tries--;
      if (errno !== ENETDOWN || tries === 0) this.#fail('sendto(AF_PACKET)', errno);
      invalid = 1;
    }
  }

  /**
   * Tells whether it is safe to sleep in poll(2): nothing is waiting. Sends what was left unsent first.
   *
   * @throws SystemError ENETDOWN once the interface was removed
   */
  arm(): boolean {
    this.assertAlive();
    if (this.unsent > 0) this.flush();
    return !this.waiting && this.unsent === 0;
  }

  /** Throws once the interface was removed: the socket is then bound to none. */
  assertAlive(): void {
    // A pending error would have poll(2) return at once for ever.
    libc.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, pending, pendingLen);
    addressLen[0] = sockaddr_ll.sizeof;
    const result = libc.getsockname(this.#fd, address, addressLen);
    if (result < 0 || address.getInt32(sockaddr_ll.sll_ifindex, true) <= 0) {
      this.#fail('poll(AF_PACKET)', ENETDOWN);
    }
  }

  /** Everything counted since the socket was opened. */
  statistics(): PacketStatistics {
    if (this.#fd >= 0) this.#countDrops();
    return namedCounters(this.counters);
  }

  /** Closes the socket and unmaps its memory; frames still held are lost. Idempotent. */
  close(): void {
    if (this.#fd < 0) return;
    this.#countDrops();
    this.#fd = -1;
    this.#opened.resources.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** NB: reading these counters resets them. @source linux/if_packet.h, struct tpacket_stats */
  #countDrops(): void {
    const stats = new DataView(new ArrayBuffer(tpacket_stats.sizeof));
    const len = Uint32Array.of(tpacket_stats.sizeof);
    const result = libc.getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, stats, len);
    check(
      result,
      'Cannot read statistics of packet socket of',
      'getsockopt(PACKET_STATISTICS)',
      this.link.name,
    );
    this.counters[PacketCounter.rxRingFull]! += stats.getUint32(tpacket_stats.tp_drops, true);
  }

  #fail(syscall: string, errno: number): never {
    const gone =
      'The interface went down or was removed: bring it back with `ip link`; after a removal open the socket again';
    throw new SystemError('Cannot go on with packet socket of', {
      ...{ syscall, errno, subject: this.link.name },
      ...(errno === ENETDOWN || errno === ENXIO ? { hint: gone } : {}),
    });
  }
}

const pending = new Int32Array(1);
const pendingLen = Uint32Array.of(4);
const address = new DataView(new ArrayBuffer(sockaddr_ll.sizeof));
const addressLen = new Uint32Array(1);
