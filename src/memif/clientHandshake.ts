import type { Fd } from '../sys/index.ts';
import type { MemifRingPlace } from './connection.ts';
import type { Handshake, HandshakeStep, Outgoing } from './handshake.ts';
import type { LentMemory } from './lentMemory.ts';
import {
  type Hello,
  MEMIF_VERSION,
  type Message,
  MessageType,
  MODE_ETHERNET,
  RING_TO_SERVER,
  SECRET_LEN,
} from './protocol.ts';

/** What a client offers. */
export interface ClientHandshakeSpec {
  readonly application: string;
  readonly interfaceName: string;
  readonly id: number;
  /** in the form in which it is sent [24 bytes] */
  readonly secret: Uint8Array | undefined;
  /** rings wanted in each direction; the server may take fewer */
  readonly queues: number;
  /** wanted; the server may take smaller ones */
  readonly log2RingSize: number;
}

/** Memory as a handshake hands it over. */
export type Lendable = Pick<LentMemory, 'regions' | 'rings' | 'toServer' | 'toClient'>;

/** The client's side of a handshake: it makes what is shared once it knows what the server takes. */
export class ClientHandshake implements Handshake {
  readonly opening: undefined = undefined;
  readonly #spec: ClientHandshakeSpec;
  readonly #lend: (queues: number, log2Size: number) => Lendable;
  #lent: Lendable | undefined;
  /** what is still to be said, a message for each ACK */
  #script: Outgoing[] = [];
  #remoteName = '';

  /** @param lend - makes the memory */
  constructor(spec: ClientHandshakeSpec, lend: (queues: number, log2Size: number) => Lendable) {
    this.#spec = spec;
    this.#lend = lend;
  }

  /** The name in HELLO. */
  get remoteName(): string {
    return this.#remoteName;
  }

  /** Judges the server's next message. */
  receive(message: Message, fds: readonly Fd[]): HandshakeStep {
    if (fds.length > 0) return { refusal: 'unexpected descriptor' };
    const lent = this.#lent;
    if (message.type === MessageType.hello && !lent) return this.#hello(message);
    if (!lent) return { refusal: 'unexpected message' };
    const next = this.#script.shift();
    if (message.type === MessageType.ack && next) return { send: next };
    if (message.type !== MessageType.connected || next) return { refusal: 'unexpected message' };
    return {
      connection: {
        remoteName: this.#remoteName,
        remoteInterface: message.interfaceName,
        regions: [lent.rings],
        toServer: lent.toServer,
        toClient: lent.toClient,
      },
    };
  }

  #hello(hello: Hello): HandshakeStep {
    const { application, id, secret } = this.#spec;
    if (hello.minVersion > MEMIF_VERSION || hello.maxVersion < MEMIF_VERSION) {
      return { refusal: 'unsupported version' };
    }
    const queues = Math.min(this.#spec.queues, hello.maxToServer + 1, hello.maxToClient + 1);
    const lent = this.#lend(queues, Math.min(this.#spec.log2RingSize, hello.maxLog2RingSize));
    if (hello.maxRegion + 1 < lent.regions.length) return { refusal: 'too many regions for the server' };
    this.#lent = lent;
    this.#remoteName = hello.name;
    this.#script = [
      ...lent.regions.map(
        ({ fd, len }, index): Outgoing => ({ message: { type: MessageType.addRegion, index, len }, fd }),
      ),
      ...lent.toServer.map((ring, index) => addRing(ring, index, RING_TO_SERVER)),
      ...lent.toClient.map((ring, index) => addRing(ring, index, 0)),
      { message: { type: MessageType.connect, interfaceName: this.#spec.interfaceName } },
    ];
    return {
      send: {
        message: {
          type: MessageType.init,
          version: MEMIF_VERSION,
          id,
          mode: MODE_ETHERNET,
          secret: secret ?? new Uint8Array(SECRET_LEN),
          name: application,
        },
      },
    };
  }
}

function addRing(ring: MemifRingPlace, index: number, flags: number): Outgoing {
  const { region, offset, log2Size, interrupt } = ring;
  return {
    message: { type: MessageType.addRing, flags, index, region, offset, log2Size, privateHeaderLen: 0 },
    fd: interrupt,
  };
}
