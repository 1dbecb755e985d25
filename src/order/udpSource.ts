import { constants } from 'node:os';
import { nowNs, SystemError, UdpSocket } from '../sys/index.ts';
import type { PayloadHandler, Source, SourceReport } from './source.ts';

/** What a {@link UdpSource} listens to. */
export interface UdpSourceSpec {
  /** address to bind to */
  readonly address: string;
  /** 0 for any that is free */
  readonly port: number;
  /** receive buffer wanted; default 4 MiB [bytes] */
  readonly receiveBufferLen?: number;
  /** datagrams per system call; default 64 */
  readonly burst?: number;
}

const MAX_PAYLOAD = 2048;
const TRUNCATED = 0;
const REPLY_NO_ROOM = 1;
const PEER_REFUSED = 2;
const dropNames = ['truncated', 'replyNoRoom', 'peerRefused'];
/** With an address and no peer, only answers can meet one: a sender that has gone. */
const { ECONNREFUSED } = constants.errno;

/**
 * Payloads from a UDP socket of the kernel: the fallback where frames cannot be had, and the control to compare with.
 *
 * Polls without blocking, a burst per system call. Every datagram goes through the kernel's network stack.
 */
export class UdpSource implements Source {
  readonly report: SourceReport;
  readonly fds: readonly number[];
  readonly maxReplyLen: number = MAX_PAYLOAD;
  readonly replyView: DataView;
  readonly udpPort: number;
  readonly #socket: UdpSocket;
  readonly #handler: PayloadHandler;
  readonly #burst: number;
  readonly #stampNs = new Float64Array(1);
  #current = 0;
  readonly #dropped = new Float64Array(dropNames.length);

  /** Opens and binds the socket. @throws SystemError EADDRINUSE, EADDRNOTAVAIL */
  constructor(handler: PayloadHandler, spec: UdpSourceSpec) {
    this.#burst = spec.burst ?? 64;
    this.#socket = new UdpSocket({
      address: spec.address,
      port: spec.port,
      receiveBufferLen: spec.receiveBufferLen ?? 4 << 20,
      burst: this.#burst,
      maxLen: MAX_PAYLOAD,
    });
    this.#handler = handler;
    this.replyView = this.#socket.sendView;
    this.udpPort = this.#socket.local.port;
    this.fds = [this.#socket.fd];
    const reason = this.#socket.receiveBufferReason;
    this.report = {
      via: 'udp',
      accelerated: false,
      mode: `kernel UDP socket, receive buffer ${Math.round(this.#socket.receiveBufferLen / 1024)} KiB`,
      reasons: reason === undefined ? [] : [`receive buffer: ${reason}`],
    };
  }

  /** Receives and hands over a burst. @throws SystemError when the socket fails @hot */
  poll(budget: number): number {
    const socket = this.#socket;
    const count = socket.receive(Math.min(budget, this.#burst));
    if (count <= 0) {
      if (count < 0) this.#judge(-count);
      return 0;
    }
    const stampNs = this.#stampNs;
    stampNs[0] = nowNs();
    for (let i = 0; i < count; i++) {
      if (socket.cut[i] !== 0) {
        this.#dropped[TRUNCATED]! += 1;
        continue;
      }
      this.#current = i;
      this.#handler.onPayload(socket.view, socket.offset[i]!, socket.len[i]!, stampNs);
    }
    this.#handler.onBurstEnd();
    this.flush();
    return count;
  }

  /** The socket itself wakes a sleeper. */
  arm(): boolean {
    return true;
  }

  /** Reserves an answer to the datagram in hand; see {@link Source.reply}. @hot */
  reply(len: number): number {
    let offset = this.#socket.reply(this.#current, len);
    if (offset < 0) {
      this.flush();
      offset = this.#socket.reply(this.#current, len);
    }
    if (offset < 0) this.#dropped[REPLY_NO_ROOM]! += 1;
    return offset;
  }

  /** Sends the answers written so far. @throws SystemError when the socket fails @hot */
  flush(): void {
    const sent = this.#socket.flush();
    if (sent < 0) this.#judge(-sent);
  }

  /** What was lost, by reason; the kernel's count of a full receive buffer costs a system call. */
  drops(): Record<string, number> {
    const drops: Record<string, number> = { receiveBufferFull: this.#socket.drops() };
    for (const [i, name] of dropNames.entries()) drops[name] = this.#dropped[i]!;
    return drops;
  }

  /** Closes the socket. Idempotent. */
  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #judge(errno: number): void {
    if (errno !== ECONNREFUSED) {
      throw new SystemError('Cannot go on with UDP socket on port', {
        syscall: 'recvmmsg',
        errno,
        subject: String(this.udpPort),
      });
    }
    this.#dropped[PEER_REFUSED]! += 1;
  }
}
