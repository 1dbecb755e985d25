import { timingSafeEqual } from 'node:crypto';
import type { Fd } from '../sys/index.ts';
import type { MemifRingPlace } from './connection.ts';
import type { Handshake, HandshakeStep, Outgoing } from './handshake.ts';
import type { RegionKeeper } from './peerMemory.ts';
import {
  type AddRegion,
  type AddRing,
  type Init,
  MEMIF_VERSION,
  type Message,
  MessageType,
  MODE_ETHERNET,
  RING_TO_SERVER,
} from './protocol.ts';
import { MAX_LOG2_RING_SIZE, RING_COOKIE, ringLen } from './ring.ts';

/** What a server asks of a client. */
export interface ServerHandshakeSpec {
  readonly application: string;
  readonly interfaceName: string;
  readonly id: number;
  /** in the form in which it is sent [24 bytes] */
  readonly secret: Uint8Array | undefined;
  /** rings in each direction at most */
  readonly maxQueues: number;
  readonly maxRegions: number;
}

/** Rings are read as words of four bytes. */
const RING_ALIGNMENT = 4;

const ACK: HandshakeStep = { send: { message: { type: MessageType.ack } } };

/** The server's side of a handshake; descriptors go to a {@link RegionKeeper}, which judges them. */
export class ServerHandshake implements Handshake {
  readonly opening: Outgoing;
  readonly #spec: ServerHandshakeSpec;
  readonly #memory: RegionKeeper;
  readonly #busy: () => boolean;
  readonly #toServer: MemifRingPlace[] = [];
  readonly #toClient: MemifRingPlace[] = [];
  #accepted = false;
  #remoteName = '';

  /** @param busy - whether another client is, or is about to be, connected */
  constructor(spec: ServerHandshakeSpec, memory: RegionKeeper, busy: () => boolean) {
    this.#spec = spec;
    this.#memory = memory;
    this.#busy = busy;
    this.opening = {
      message: {
        type: MessageType.hello,
        name: spec.application,
        minVersion: MEMIF_VERSION,
        maxVersion: MEMIF_VERSION,
        maxRegion: spec.maxRegions - 1,
        maxToClient: spec.maxQueues - 1,
        maxToServer: spec.maxQueues - 1,
        maxLog2RingSize: MAX_LOG2_RING_SIZE,
      },
    };
  }

  /** The name in INIT. */
  get remoteName(): string {
    return this.#remoteName;
  }

  /** Whether the client has said who it is, and may go on. */
  get accepted(): boolean {
    return this.#accepted;
  }

  /** Judges the client's next message. */
  receive(message: Message, fds: readonly Fd[]): HandshakeStep {
    const { type } = message;
    const wanted = type === MessageType.addRegion || type === MessageType.addRing ? 1 : 0;
    if (fds.length < wanted) return { refusal: 'missing descriptor' };
    if (fds.length > wanted) return { refusal: 'unexpected descriptor' };
    if ((type === MessageType.init) === this.#accepted) return { refusal: 'unexpected message' };
    switch (type) {
      case MessageType.init:
        return this.#init(message);
      case MessageType.addRegion:
        return this.#addRegion(message, fds[0]!);
      case MessageType.addRing:
        return this.#addRing(message, fds[0]!);
      case MessageType.connect:
        return this.#connect(message.interfaceName);
      default:
        return { refusal: 'unexpected message' };
    }
  }

  #init(init: Init): HandshakeStep {
    const { id, secret } = this.#spec;
    if (init.version !== MEMIF_VERSION) return { refusal: 'unsupported version' };
    if (init.id !== id) return { refusal: 'unknown id' };
    if (init.mode !== MODE_ETHERNET) return { refusal: 'only ethernet mode is supported' };
    // Without a secret of ours, any of theirs will do, as with other implementations.
    if (secret && !timingSafeEqual(secret, init.secret)) return { refusal: 'wrong secret' };
    if (this.#busy()) return { refusal: 'already connected' };
    this.#accepted = true;
    this.#remoteName = init.name;
    return ACK;
  }

  #addRegion({ index, len }: AddRegion, fd: Fd): HandshakeStep {
    const next = this.#memory.regions.length;
    if (index !== next) return { refusal: 'region out of order' };
    if (next === this.#spec.maxRegions) return { refusal: 'too many regions' };
    const problem = this.#memory.addRegion(fd, len);
    return problem === undefined ? ACK : { refusal: problem };
  }

  #addRing(ring: AddRing, fd: Fd): HandshakeStep {
    const rings = (ring.flags & RING_TO_SERVER) !== 0 ? this.#toServer : this.#toClient;
    const region = this.#memory.regions[ring.region];
    const { log2Size, offset } = ring;
    if (ring.index !== rings.length) return { refusal: 'ring out of order' };
    if (ring.index === this.#spec.maxQueues) return { refusal: 'too many rings' };
    if (ring.privateHeaderLen !== 0) return { refusal: 'private headers are not supported' };
    if (log2Size > MAX_LOG2_RING_SIZE) return { refusal: 'ring too large' };
    if (offset % RING_ALIGNMENT !== 0) return { refusal: 'ring not aligned' };
    if (!region || offset + ringLen(log2Size) > region.byteLength) return { refusal: 'ring out of bounds' };
    const problem = this.#memory.addInterrupt(fd);
    if (problem !== undefined) return { refusal: problem };
    rings.push({ region: ring.region, offset, log2Size, interrupt: fd.fd });
    return ACK;
  }

  #connect(remoteInterface: string): HandshakeStep {
    const { regions } = this.#memory;
    const toServer = this.#toServer;
    const toClient = this.#toClient;
    // NB: each ring of a direction is served with one of the other; one without would fill up unseen.
    if (toServer.length === 0 || toServer.length !== toClient.length) return { refusal: 'missing ring' };
    const cookieOf = (ring: MemifRingPlace): number =>
      new DataView(regions[ring.region]!).getUint32(ring.offset, true);
    if ([...toServer, ...toClient].some((ring) => cookieOf(ring) !== RING_COOKIE)) {
      return { refusal: 'wrong cookie' };
    }
    return {
      send: { message: { type: MessageType.connected, interfaceName: this.#spec.interfaceName } },
      connection: { remoteName: this.#remoteName, remoteInterface, regions, toServer, toClient },
    };
  }
}
