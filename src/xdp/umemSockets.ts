import type { XdpCopyMode } from './bindQueue.ts';
import type { ConsumerRing, FillRing } from './ring.ts';

/** The fill and the completion ring of a nicQueue: one pair for all sockets that are on it with the same umem. */
export interface QueueRings extends Disposable {
  readonly fill: FillRing;
  readonly completion: ConsumerRing;
  /** who holds the chunks on them, in the umem's owner table: 1 to 255 */
  readonly holder: number;
  /** Has another socket of the nicQueue keep them, when that by which they were mapped closes. */
  rehome(fd: number): void;
}

/** A socket on a umem, as the next one has to know it. */
export interface UmemSocket {
  /** which nicQueue of which interface in which namespace */
  readonly place: string;
  readonly fd: number;
  readonly mode: XdpCopyMode;
  readonly needWakeup: boolean;
  readonly multiBuffer: boolean;
  readonly keepCompletions: boolean;
  readonly rings: QueueRings;
}

/** Most nicQueues that share a umem: its owner table has a byte for each chunk. */
const MAX_HOLDERS = 255;

/** The open sockets on a umem. */
export class UmemSockets {
  readonly #sockets: UmemSocket[] = [];
  #used = false;

  /** Whether there ever was one. */
  get used(): boolean {
    return this.#used;
  }

  /** Any of them: the kernel lets a further socket join by it; undefined when there is none. */
  get any(): UmemSocket | undefined {
    return this.#sockets[0];
  }

  /** One on that nicQueue; undefined when there is none. */
  on(place: string): UmemSocket | undefined {
    return this.#sockets.find((socket) => socket.place === place);
  }

  /** A number for the rings of another nicQueue. @throws RangeError when 255 are in use */
  freeHolder(): number {
    const taken = new Set(this.#sockets.map(({ rings }) => rings.holder));
    for (let holder = 1; holder <= MAX_HOLDERS; holder++) if (!taken.has(holder)) return holder;
    throw new RangeError(`Cannot share umem: ${MAX_HOLDERS} nicQueues are on it`);
  }

  /** Adds a bound socket. */
  add(socket: UmemSocket): void {
    this.#sockets.push(socket);
    this.#used = true;
  }

  /** Removes a socket. @returns another one of its nicQueue; undefined when nobody uses its rings any more */
  remove(socket: UmemSocket): UmemSocket | undefined {
    this.#sockets.splice(this.#sockets.indexOf(socket), 1);
    return this.on(socket.place);
  }
}
