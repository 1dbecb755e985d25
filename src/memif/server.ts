import { MAX_REGION_LEN, nowNs, UnixListener } from '../sys/index.ts';
import { checkRange, Endpoint, type EndpointSpec, Ready } from './endpoint.ts';
import { PeerMemory, type PeerMemorySpec } from './peerMemory.ts';
import { encodeSecret } from './protocol.ts';
import { ServerHandshake, type ServerHandshakeSpec } from './serverHandshake.ts';
import { Session } from './session.ts';

/** How to be a server. */
export interface MemifServerSpec extends EndpointSpec {
  /** permissions of the socket's file, such as 0o660; as the umask leaves it when absent */
  readonly mode?: number;
  /** rings in each direction at most, 1 to 256; default 8 */
  readonly maxQueues?: number;
  /** 1 to 256; default 16 */
  readonly maxRegions?: number;
  /** memory taken from a client, all regions together; default 2^31 - 1 [bytes] */
  readonly maxMemoryLen?: number;
  /**
   * Take memory that the client could take away, by which it could kill this process (SIGBUS): that of DPDK with
   * `zero-copy=yes` and of VPP on huge pages. Default false: only what can be sealed against shrinking.
   */
  readonly trustPeer?: boolean;
}

/** Handshakes under way at once; one more puts an end to the oldest. */
const MAX_CANDIDATES = 16;

interface Candidate {
  readonly session: Session;
  readonly handshake: ServerHandshake;
  readonly deadlineNs: number;
}

/**
 * A memif server: listens, and is connected to one client at a time; others are told so.
 *
 * One socket has one server: a path where somebody listens, this process included, is EADDRINUSE.
 */
export class MemifServer extends Endpoint {
  override readonly role = 'server';
  readonly #listener: UnixListener;
  readonly #spec: ServerHandshakeSpec;
  readonly #memorySpec: PeerMemorySpec;
  /** oldest first */
  #candidates: Candidate[] = [];

  /** @throws SystemError EADDRINUSE when somebody listens there; RangeError when a value is out of bounds */
  constructor(spec: MemifServerSpec) {
    const { path, mode, id = 0, secret, name = 'barewire', trustPeer = false } = spec;
    const { maxQueues = 8, maxRegions = 16, maxMemoryLen = MAX_REGION_LEN } = spec;
    checkRange('server', 'maxQueues', maxQueues, 256);
    checkRange('server', 'maxRegions', maxRegions, 256);
    checkRange('server', 'maxMemoryLen', maxMemoryLen, 2 ** 40);
    const hidden = secret === undefined ? undefined : encodeSecret(secret);
    super(spec);
    this.#spec = { application: 'barewire', interfaceName: name, id, secret: hidden, maxQueues, maxRegions };
    this.#memorySpec = { maxMemoryLen, trustPeer };
    using cleanup = new DisposableStack();
    cleanup.use(this.epoll);
    cleanup.use(this.timer);
    this.#listener = cleanup.use(new UnixListener(mode === undefined ? { path } : { path, mode }));
    this.epoll.add(this.#listener.fd, Ready.listener);
    cleanup.move();
  }

  protected override waiting(): string {
    return `listening on ${this.path}`;
  }

  protected override handle(ready: number): boolean {
    if ((ready & Ready.timer) !== 0 && this.timer.drain()) this.#expire();
    if ((ready & Ready.listener) !== 0) this.#accept();
    return (ready & Ready.channel) !== 0 && this.#advance();
  }

  protected override afterEnd(): void {
    // Nothing to do: the listener is there, and the next client may be waiting already.
  }

  protected override closeRole(): void {
    for (const { session } of this.#candidates) {
      session.disconnect('closed');
      session.close();
    }
    this.#candidates = [];
    this.#listener.close();
  }

  #accept(): void {
    for (let i = 0; i < MAX_CANDIDATES; i++) {
      const socket = this.#listener.accept();
      if (!socket) return;
      const oldest = this.#candidates.length === MAX_CANDIDATES ? this.#candidates[0] : undefined;
      if (oldest) this.#refuse(oldest, 'too many handshakes');
      const memory = new PeerMemory(this.#memorySpec);
      const handshake = new ServerHandshake(this.#spec, memory, () => this.#busy());
      const session = new Session(socket, handshake, memory);
      if (session.end === undefined) this.epoll.add(session.fd, Ready.channel);
      const candidate = { session, handshake, deadlineNs: nowNs() + this.handshakeTimeoutNs };
      this.#candidates.push(candidate);
      if (session.end !== undefined) this.#refuse(candidate, session.end);
      this.#setTimer();
    }
  }

  #busy(): boolean {
    return this.connection !== undefined || this.#candidates.some(({ handshake }) => handshake.accepted);
  }

  #advance(): boolean {
    for (const candidate of this.#candidates) {
      const { session } = candidate;
      if (!session.poll()) continue;
      if (session.end !== undefined) {
        this.#refuse(candidate, session.end);
        continue;
      }
      this.#drop(candidate);
      this.begin(session);
      return true;
    }
    return false;
  }

  #expire(): void {
    const now = nowNs();
    for (const candidate of this.#candidates) {
      if (candidate.deadlineNs <= now) this.#refuse(candidate, 'the peer is silent');
    }
    this.#setTimer();
  }

  #refuse(candidate: Candidate, reason: string): void {
    candidate.session.disconnect(reason);
    candidate.session.close();
    this.refusals.add(reason);
    this.#drop(candidate);
  }

  /** NB: makes a new array, so that it may be called in loops over the old one. */
  #drop(candidate: Candidate): void {
    this.#candidates = this.#candidates.filter((other) => other !== candidate);
    this.#setTimer();
  }

  #setTimer(): void {
    const next = this.#candidates[0];
    if (next) this.timer.arm(next.deadlineNs - nowNs());
    else this.timer.disarm();
  }
}
