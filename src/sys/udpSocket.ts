import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { DatagramSlots } from './datagramSlots.ts';
import { check } from './error.ts';
import type { Fd } from './fd.ts';
import { readSockaddr, type SocketAddress } from './socketAddress.ts';
import {
  MSG_DONTWAIT,
  MSG_TRUNC,
  mmsghdr,
  SK_MEMINFO_DROPS,
  SK_MEMINFO_VARS,
  SO_MEMINFO,
  SOL_SOCKET,
} from './uapi/index.ts';
import { grantReceiveBuffer, localAddress, openUdp, type UdpSocketSpec } from './udpOpen.ts';

const { EAGAIN, EINTR } = constants.errno;

/**
 * A UDP socket of the kernel that receives and sends in bursts, without blocking and without allocation.
 *
 * ```ts
 * const n = socket.receive(64);
 * for (let i = 0; i < n; i++) {
 *   decode(socket.view, socket.offset[i]!, socket.len[i]!);
 * }
 * ```
 *
 * What was received stays until the next {@link UdpSocket.receive}; what is to be sent is written into slots and
 * goes with {@link UdpSocket.flush}.
 */
export class UdpSocket implements Disposable {
  /** where it is bound */
  readonly local: SocketAddress;
  /** receive buffer that the kernel granted, in its own accounting of about twice the payload [bytes] */
  readonly receiveBufferLen: number;
  /** why the receive buffer is smaller than asked; undefined when as asked */
  readonly receiveBufferReason: string | undefined;
  /** the received datagrams' payloads lie in this view */
  readonly view: DataView<ArrayBuffer>;
  /** where payload i begins in {@link UdpSocket.view} */
  readonly offset: Int32Array;
  /** bytes of payload i */
  readonly len: Int32Array;
  /** 1 where payload i was longer than maxLen and is cut */
  readonly cut: Uint8Array;
  /** slots for what is sent lie in this view */
  readonly sendView: DataView<ArrayBuffer>;
  readonly #owner: Fd;
  /** -1 once closed, so that a number reused by the kernel is never hit */
  #fd: number;
  readonly #rx: DatagramSlots;
  readonly #tx: DatagramSlots;
  /** tx slots from sent to reserved wait for {@link UdpSocket.flush} */
  #sent = 0;
  #reserved = 0;

  /** Opens and binds the socket in the calling thread's namespace. @throws SystemError EADDRINUSE, EADDRNOTAVAIL */
  constructor(spec: UdpSocketSpec = {}) {
    const { burst = 64, maxLen = 2048 } = spec;
    if (!Number.isInteger(burst) || burst < 1 || burst > 1024) {
      throw new RangeError(`Cannot open UDP socket: burst must be 1 to 1024 datagrams, got ${burst}`);
    }
    if (!Number.isInteger(maxLen) || maxLen < 1 || maxLen > 65536) {
      throw new RangeError(`Cannot open UDP socket: maxLen must be 1 to 65536 bytes, got ${maxLen}`);
    }
    using cleanup = new DisposableStack();
    this.#owner = cleanup.use(openUdp(spec));
    this.#fd = this.#owner.fd;
    this.local = localAddress(this.#fd);
    const granted = grantReceiveBuffer(this.#fd, spec.receiveBufferLen);
    this.receiveBufferLen = granted.len;
    this.receiveBufferReason = granted.reason;

    const slotLen = (maxLen + 7) & ~7;
    this.#rx = cleanup.use(new DatagramSlots(burst, slotLen, `receive slots of ${this.#owner.what}`));
    this.#tx = cleanup.use(new DatagramSlots(burst, slotLen, `send slots of ${this.#owner.what}`));
    if (spec.peer) this.#tx.clearNames();
    this.view = this.#rx.view;
    this.sendView = this.#tx.view;
    this.offset = Int32Array.from({ length: burst }, (_, i) => this.#rx.payload + i * slotLen);
    this.len = new Int32Array(burst);
    this.cut = new Uint8Array(burst);
    cleanup.move();
  }

  /** What to poll(2). */
  get fd(): number {
    return this.#owner.fd;
  }

  /**
   * Receives what is there, at most `max` datagrams and the socket's burst. Never blocks.
   *
   * @returns datagrams received; 0 when there was none; a negative errno, such as -ECONNREFUSED with a peer
   * @hot one system call
   * @source recvmmsg(2)
   */
  receive(max: number): number {
    const rx = this.#rx;
    const n = libc.recvmmsgPtr(this.#fd, rx.ptr, max < rx.count ? max : rx.count, MSG_DONTWAIT, 0);
    if (n <= 0) return n === 0 ? 0 : softErrno();
    for (let i = 0; i < n; i++) {
      this.len[i] = rx.receivedLen(i);
      this.cut[i] = (rx.receivedFlags(i) & MSG_TRUNC) === 0 ? 0 : 1;
    }
    return n;
  }

  /** Returns who sent datagram i of the last {@link UdpSocket.receive}. */
  sender(i: number): SocketAddress {
    return readSockaddr(this.#rx.view, this.#rx.nameOffset(i));
  }

  /**
   * Reserves a slot for an answer to the sender of datagram i of the last {@link UdpSocket.receive}.
   *
   * @param len - at most maxLen [bytes]
   * @returns where to write it in {@link UdpSocket.sendView}, or -1 when all slots wait for {@link UdpSocket.flush}
   * @hot
   */
  reply(i: number, len: number): number {
    const offset = this.reserve(len);
    if (offset >= 0) this.#tx.copyName(this.#reserved - 1, this.#rx, i);
    return offset;
  }

  /**
   * Reserves a slot for a datagram to the peer of a socket that has one.
   *
   * @param len - at most maxLen [bytes]
   * @returns where to write it in {@link UdpSocket.sendView}, or -1 when all slots wait for {@link UdpSocket.flush}
   * @hot
   */
  reserve(len: number): number {
    const i = this.#reserved;
    if (i === this.#tx.count || len > this.#tx.slotLen) return -1;
    this.#tx.setLen(i, len);
    this.#reserved = i + 1;
    return this.#tx.payload + i * this.#tx.slotLen;
  }

  /**
   * Sends the reserved slots, in order. Never blocks.
   *
   * What the kernel does not take keeps its slot for the next call.
   *
   * @returns datagrams sent; a negative errno when the first one failed, such as -ECONNREFUSED
   * @hot one system call
   * @source sendmmsg(2)
   */
  flush(): number {
    const waiting = this.#reserved - this.#sent;
    if (waiting === 0) return 0;
    // measured: a pointer that is computed costs 16 bytes of heap a call; after a full send none is.
    const n =
      this.#sent === 0
        ? libc.sendmmsgPtr(this.#fd, this.#tx.ptr, waiting, MSG_DONTWAIT)
        : libc.sendmmsgPtr(this.#fd, this.#tx.ptr + this.#sent * mmsghdr.sizeof, waiting, MSG_DONTWAIT);
    if (n < 0) return softErrno();
    this.#sent += n;
    if (this.#sent === this.#reserved) {
      this.#sent = 0;
      this.#reserved = 0;
    }
    return n;
  }

  /**
   * Returns how many datagrams the kernel has dropped at this socket since it was opened: receive buffer full, or a
   * wrong checksum. Counts at once, unlike SO_RXQ_OVFL, which tells only with the next datagram.
   *
   * @returns datagrams, modulo 2^32
   * @source net/core/sock.c, sk_get_meminfo; linux/sock_diag.h
   * @since Linux 4.12
   */
  drops(): number {
    const info = new Uint32Array(SK_MEMINFO_VARS);
    const result = libc.getsockopt(
      this.#fd,
      SOL_SOCKET,
      SO_MEMINFO,
      info,
      new Uint32Array([info.byteLength]),
    );
    check(result, 'Cannot read drops of', 'getsockopt(SO_MEMINFO)', this.#owner.what);
    return info[SK_MEMINFO_DROPS]!;
  }

  /** Closes the socket and unmaps its slots. Idempotent. */
  close(): void {
    this.#fd = -1;
    this.#owner.close();
    this.#rx.close();
    this.#tx.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Nothing there, or a signal, is no error. @hot */
function softErrno(): number {
  const errno = libc.errno();
  return errno === EAGAIN || errno === EINTR ? 0 : -errno;
}
