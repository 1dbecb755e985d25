import { constants } from 'node:os';
import type { Fd, PeerCredentials, UnixSocket } from '../sys/index.ts';
import type { MemifConnection } from './connection.ts';
import type { Handshake, Outgoing } from './handshake.ts';
import { decodeMessage, encodeMessage, type Message, MessageType } from './protocol.ts';
import { PEER_REASON } from './reasonCounts.ts';

const { EAGAIN, EINTR } = constants.errno;

/** What a session owns beside its socket. */
export interface SessionMemory {
  /** Tells whether a descriptor of the peer was kept; others are closed at once. */
  keeps(fd: Fd): boolean;
  /** Unmaps and closes everything. Idempotent. */
  close(): void;
}

/** Messages handled in one call: a peer that never stops talking does not stop us. */
const MAX_MESSAGES = 64;

/**
 * One peer, from its first message to its last: the socket, the handshake and then the connection, and the memory.
 *
 * When it is over the socket is closed at once, the memory by {@link Session.close}.
 */
export class Session implements Disposable {
  readonly peer: PeerCredentials;
  readonly #socket: UnixSocket;
  readonly #handshake: Handshake;
  readonly #memory: SessionMemory;
  #connection: MemifConnection | undefined;
  #end: string | undefined;

  /** Owns `socket` and `memory` from now on; says what the handshake opens with. */
  constructor(socket: UnixSocket, handshake: Handshake, memory: SessionMemory) {
    this.#socket = socket;
    this.#handshake = handshake;
    this.#memory = memory;
    this.peer = socket.peer();
    if (handshake.opening) this.#send(handshake.opening);
  }

  /** Of the control channel. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** What the handshake came to, also when it is over. */
  get connection(): MemifConnection | undefined {
    return this.#connection;
  }

  /** Why it is over; undefined while it is not. */
  get end(): string | undefined {
    return this.#end;
  }

  /** The peer in words: `DPDK 24.11.2 (pid 4711, uid 0)`. */
  get remote(): string {
    const { pid, uid } = this.peer;
    return `${this.#handshake.remoteName || 'a peer'} (${pid === 0 ? '' : `pid ${pid}, `}uid ${uid})`;
  }

  /** Handles messages that wait, until the connection stands, or it is over. Never blocks. @returns whether either came */
  poll(): boolean {
    const before = this.#connection;
    for (let i = 0; i < MAX_MESSAGES && this.#end === undefined && this.#connection === before; i++) {
      if (!this.#receive()) break;
    }
    return this.#end !== undefined || this.#connection !== before;
  }

  /** Tells the peer why, and is over. No effect when it is. */
  disconnect(reason: string): void {
    if (this.#end !== undefined) return;
    // It may not read it, or be gone.
    this.#socket.send(encodeMessage({ type: MessageType.disconnect, code: 0, reason }));
    this.#over(reason);
  }

  /** Closes everything, without a word. Idempotent. */
  close(): void {
    this.#over('closed');
    this.#memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Takes one message. @returns false when there is none */
  #receive(): boolean {
    const received = this.#socket.receive();
    if (typeof received === 'number') {
      if (received === -EAGAIN || received === -EINTR) return false;
      this.#over('the peer is gone');
      return true;
    }
    const message = received.truncated ? undefined : decodeMessage(received.bytes);
    if (message) this.#judge(message, received.fds);
    else this.disconnect('malformed message');
    for (const fd of received.fds) {
      if (!this.#memory.keeps(fd)) fd.close();
    }
    return true;
  }

  #judge(message: Message, fds: readonly Fd[]): void {
    if (message.type === MessageType.disconnect) {
      this.#over(`${PEER_REASON}${message.reason}`);
      return;
    }
    if (this.#connection) {
      this.disconnect('unexpected message');
      return;
    }
    const step = this.#handshake.receive(message, fds);
    if (step.refusal !== undefined) {
      this.disconnect(step.refusal);
      return;
    }
    if (step.send) this.#send(step.send);
    if (this.#end === undefined) this.#connection = step.connection;
  }

  #send({ message, fd }: Outgoing): void {
    const sent = this.#socket.send(encodeMessage(message), fd === undefined ? [] : [fd]);
    if (sent < 0) this.#over(sent === -EAGAIN ? 'the peer does not read' : 'the peer is gone');
  }

  #over(reason: string): void {
    this.#end ??= reason;
    this.#socket.close();
  }
}
