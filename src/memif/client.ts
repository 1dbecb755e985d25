import { errnoName, MAX_REGION_LEN, SystemError, UnixSocket } from '../sys/index.ts';
import { ClientHandshake, type ClientHandshakeSpec } from './clientHandshake.ts';
import { checkRange, Endpoint, type EndpointSpec, Ready } from './endpoint.ts';
import { LentMemory, type SharedPackets } from './lentMemory.ts';
import { encodeSecret } from './protocol.ts';
import { MAX_LOG2_RING_SIZE } from './ring.ts';
import { Session } from './session.ts';

/** How to be a client. */
export interface MemifClientSpec extends EndpointSpec {
  /** rings wanted in each direction, 1 to 256; the server may have fewer. Default 1 */
  readonly queues?: number;
  /** 1 to 14; the server may have smaller ones. Default 10 [log2 of descriptors] */
  readonly log2RingSize?: number;
  /** region 1 of every connection; outlives this endpoint */
  readonly packetMemory: SharedPackets;
}

/** Between two attempts to connect. */
const RETRY_NS = 100e6;
const MAX_QUEUES = 256;

/**
 * A memif client: connects to a server, now or as soon as there is one, and again when it was lost.
 *
 * Each connection has rings of its own (region 0) and the packet memory of the port (region 1).
 */
export class MemifClient extends Endpoint {
  override readonly role = 'client';
  readonly #packets: SharedPackets;
  readonly #spec: ClientHandshakeSpec;
  /** connecting, with a handshake under way */
  #session: Session | undefined;
  #trouble = '';

  /** Tries to connect at once. @throws RangeError when a value is out of bounds; SystemError when descriptors have run out */
  constructor(spec: MemifClientSpec) {
    const { queues = 1, log2RingSize = 10, packetMemory, id = 0, secret, name = 'barewire' } = spec;
    checkRange('client', 'queues', queues, MAX_QUEUES);
    checkRange('client', 'log2RingSize', log2RingSize, MAX_LOG2_RING_SIZE);
    checkRange('client', 'packetMemory.len', packetMemory.len, MAX_REGION_LEN);
    const hidden = secret === undefined ? undefined : encodeSecret(secret);
    super(spec);
    this.#packets = packetMemory;
    this.#spec = { application: 'barewire', interfaceName: name, id, secret: hidden, queues, log2RingSize };
    try {
      this.#connect();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  protected override waiting(): string {
    const trouble = this.#session ? 'waiting for an answer' : this.#trouble;
    return `connecting to ${this.path}: ${trouble}`;
  }

  protected override handle(ready: number): boolean {
    if ((ready & Ready.timer) !== 0 && this.timer.drain()) {
      if (this.#session) this.#giveUp(this.#session, 'the peer is silent');
      else this.#connect();
    }
    const session = this.#session;
    if (!session || (ready & Ready.channel) === 0 || !advance(session)) return false;
    if (session.end !== undefined) {
      this.#giveUp(session, session.end);
      return false;
    }
    this.timer.disarm();
    this.#session = undefined;
    this.begin(session);
    return true;
  }

  protected override afterEnd(reason: string): void {
    this.#retry(reason);
  }

  protected override closeRole(): void {
    this.#session?.disconnect('closed');
    this.#session?.close();
    this.#session = undefined;
  }

  #connect(): void {
    const socket = connectUnix(this.path);
    if (typeof socket === 'string') {
      this.#retry(socket);
      return;
    }
    let lent: LentMemory | undefined;
    const handshake = new ClientHandshake(this.#spec, (queues, log2Size) => {
      lent = new LentMemory(this.#packets, queues, log2Size);
      return lent;
    });
    this.#session = new Session(socket, handshake, { keeps: () => false, close: () => lent?.close() });
    this.epoll.add(socket.fd, Ready.channel);
    this.timer.arm(this.handshakeTimeoutNs);
  }

  #giveUp(session: Session, reason: string): void {
    session.disconnect(reason);
    session.close();
    this.#session = undefined;
    this.refusals.add(reason);
    this.#retry(reason);
  }

  #retry(reason: string): void {
    this.#trouble = reason;
    this.timer.arm(RETRY_NS);
  }
}

/** Connects, or says why not: an absent server is no error, and neither are descriptors that have run out for now. */
function connectUnix(path: string): UnixSocket | string {
  try {
    const socket = UnixSocket.connect(path);
    return typeof socket === 'number' ? errnoName(-socket) : socket;
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** Has a session handle its messages; memory that is not to be had ends it. @returns whether something came of it */
function advance(session: Session): boolean {
  try {
    return session.poll();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    session.disconnect(`no memory: ${error.code}`);
    return true;
  }
}
