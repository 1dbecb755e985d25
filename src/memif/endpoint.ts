import { Epoll, TimerFd } from '../sys/index.ts';
import type { MemifConnection, MemifEndpoint, MemifStatistics } from './connection.ts';
import { NAME_LEN } from './protocol.ts';
import { ReasonCounts } from './reasonCounts.ts';
import type { Session } from './session.ts';

/** What both roles take. */
export interface EndpointSpec {
  /** of the socket's file, or `@name` in the abstract namespace */
  readonly path: string;
  /** of the interface: several may be behind one socket; default 0 [u32] */
  readonly id?: number;
  /** of 1 to 24 bytes; DPDK and VPP use 23 of them. Default none */
  readonly secret?: string | Uint8Array;
  /** time that a peer has for its whole handshake; default 3 s */
  readonly handshakeTimeoutNs?: number;
  /** of this interface, for the peer; default `barewire` [at most 31 bytes] */
  readonly name?: string;
}

/** What {@link Epoll.wait} tells apart. */
export const Ready = { timer: 1, listener: 2, channel: 4 } as const;

/** What client and server have in common: one epoll, one timer, the connection that is and the one that was. */
export abstract class Endpoint implements MemifEndpoint {
  abstract readonly role: 'client' | 'server';
  readonly path: string;
  protected readonly epoll: Epoll;
  protected readonly timer: TimerFd;
  protected readonly handshakeTimeoutNs: number;
  protected readonly refusals: ReasonCounts = new ReasonCounts();
  readonly #disconnects = new ReasonCounts();
  #connects = 0;
  #live: Session | undefined;
  /** over, but its memory is still mapped */
  #ended: Session | undefined;
  #closed = false;

  /** @throws RangeError when id or name is none */
  constructor({ path, id = 0, name = '', handshakeTimeoutNs = 3e9 }: EndpointSpec) {
    if (!Number.isInteger(id) || id < 0 || id > 0xffff_ffff) {
      throw new RangeError(`Cannot use memif id: want 0 to 4294967295, got ${id}`);
    }
    if (Buffer.byteLength(name) >= NAME_LEN) {
      throw new RangeError(`Cannot use memif name: want at most ${NAME_LEN - 1} bytes, got ${name}`);
    }
    this.path = path;
    this.handshakeTimeoutNs = handshakeTimeoutNs;
    using cleanup = new DisposableStack();
    this.epoll = cleanup.use(new Epoll(`memif ${path}`));
    this.timer = cleanup.use(new TimerFd(`memif ${path}`));
    this.epoll.add(this.timer.fd, Ready.timer);
    cleanup.move();
  }

  /** The epoll descriptor, the same for the endpoint's life. */
  get fd(): number {
    return this.epoll.fd;
  }

  /** The connection that stands; undefined while there is no peer. */
  get connection(): MemifConnection | undefined {
    return this.#live?.connection;
  }

  /** What goes on, in words: `connected to DPDK 24.11.2 (pid 4711, uid 0)`. */
  get state(): string {
    if (this.#closed) return 'closed';
    return this.#live ? `connected to ${this.#live.remote}` : this.waiting();
  }

  /** Handles what waits. Never blocks. @returns whether `connection` changed, at most once a call */
  poll(): boolean {
    if (this.#closed) return false;
    this.#release();
    const ready = this.epoll.wait(0);
    if (ready === 0) return false;
    // NB: the connection first: a peer that came back has to find the place of its former self free.
    const live = this.#live;
    if ((ready & Ready.channel) !== 0 && live?.poll()) {
      this.#finish(live);
      return true;
    }
    return this.handle(ready);
  }

  /** Ends the connection, if there is one, and tells the peer why. Its memory stays until the next poll() or close(). */
  disconnect(reason: string): void {
    const live = this.#live;
    if (!live) return;
    live.disconnect(reason);
    this.#release();
    this.#finish(live);
  }

  /** Has `fd` of this endpoint become readable once for each time that something arrives at another. */
  watch(fd: number): void {
    this.epoll.add(fd, 0, { edge: true });
  }

  /** Ends {@link Endpoint.watch}; to be called before that descriptor is closed. */
  unwatch(fd: number): void {
    if (!this.#closed) this.epoll.remove(fd);
  }

  /** What was counted since it was opened. */
  statistics(): MemifStatistics {
    return {
      connects: this.#connects,
      disconnects: this.#disconnects.read(),
      refusals: this.refusals.read(),
    };
  }

  /** Tells the peer, unmaps and closes everything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.disconnect('closed');
    this.#release();
    this.#closed = true;
    this.closeRole();
    this.timer.close();
    this.epoll.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Says what goes on while there is no connection. */
  protected abstract waiting(): string;
  /** Handles what is ready beside the connection. @returns whether a connection has begun */
  protected abstract handle(ready: number): boolean;
  /** Told when a connection has ended. */
  protected abstract afterEnd(reason: string): void;
  /** Closes what only this role has. */
  protected abstract closeRole(): void;

  /** Makes a session whose handshake has come to an end the connection. */
  protected begin(session: Session): void {
    this.#live = session;
    this.#connects++;
  }

  #finish(session: Session): void {
    const reason = session.end ?? '';
    this.#disconnects.add(reason);
    this.#live = undefined;
    this.#ended = session;
    this.afterEnd(reason);
  }

  #release(): void {
    const ended = this.#ended;
    if (!ended) return;
    this.#ended = undefined;
    for (const { interrupt } of [
      ...(ended.connection?.toServer ?? []),
      ...(ended.connection?.toClient ?? []),
    ]) {
      this.epoll.remove(interrupt);
    }
    ended.close();
  }
}

/** Refuses a number of a spec that is not from 1 to `most`. @throws RangeError */
export function checkRange(role: MemifEndpoint['role'], what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new RangeError(`Cannot open memif ${role}: ${what} must be 1 to ${most}, got ${value}`);
}
