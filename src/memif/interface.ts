import { Burst } from '../core/index.ts';
import { Doorbell } from '../sys/index.ts';
import { ClientQueue } from './clientQueue.ts';
import type { MemifConnection, MemifEndpoint, MemifRingPlace, MemifStatistics } from './connection.ts';
import { MEMIF_COUNTERS, MemifCounter } from './counters.ts';
import { type MemifInterfaceSpec, openEndpoint } from './interfaceSpec.ts';
import { describeLie } from './lies.ts';
import { PacketMemory } from './packetMemory.ts';
import { MemifRing } from './ring.ts';
import { ServerQueue } from './serverQueue.ts';

type Queue = ClientQueue | ServerQueue;

/** Chunks beyond those on rings: what programs hold. */
const IN_HAND = 1024;
/** Look after the control channel every so many calls that found nothing to do: about once a millisecond of spinning. */
const IDLE_MASK = 0x3fff;
const UNCONNECTED_IDLE_MASK = 0xff;
/** A connection that ended is let go of after so many looks, should nobody take what it brought. */
const DRAIN_LOOKS = 64;

/**
 * A memif interface: frames to and from another program through shared memory, with no system call but to wake it.
 *
 * It has a peer, or it looks for one: a server waits on its socket, a client tries again ten times a second. Frames that
 * the peer had sent before it went are still received. Without a peer tx() takes nothing.
 *
 * The client sends and receives in place; the server copies, out of and into memory that only its peer owns, so that no
 * client can change a frame that was checked, or keep a chunk by its death. One thread drives it.
 */
export class MemifInterface implements Disposable {
  readonly role: 'client' | 'server';
  readonly memory: PacketMemory;
  /** our counters; indexes are {@link MemifCounter} */
  readonly counters: Float64Array = new Float64Array(MEMIF_COUNTERS);
  readonly #endpoint: MemifEndpoint;
  readonly #ownsMemory: boolean;
  /** a client chooses its server */
  readonly #trustPeer: boolean;
  #queues: readonly Queue[] = [];
  /** the same queues, in the client's role */
  #lenders: readonly ClientQueue[] = [];
  // NB: the eventfds are the peer's as much as ours: a write to one can be made to wait.
  readonly #doorbell: Doorbell;
  /** by queue, the eventfd that wakes the peer, and the one that wakes us */
  #peerInterrupts: readonly number[] = [];
  #watched: readonly number[] = [];
  /** by queue, whether something was sent since the last flush */
  #unflushed = new Uint8Array(0);
  readonly #spare: Burst;
  #next = 0;
  #current = 0;
  /** the peer is gone; what it had sent is still on the rings */
  #drainLooks = 0;
  #idle = 0;
  #armed = false;

  /** Opens the control socket; the peer may come later. @throws RangeError for a bad size; SystemError EADDRINUSE, EACCES */
  constructor(spec: MemifInterfaceSpec) {
    const { path, role = 'client', id = 0, queues = 1, ringSize = 1024 } = spec;
    const log2RingSize = Math.log2(ringSize);
    if (!Number.isInteger(log2RingSize) || log2RingSize < 1 || log2RingSize > 14) {
      throw new RangeError(
        `Cannot open memif ${path}: ringSize must be a power of two from 2 to 16384, got ${ringSize}`,
      );
    }
    const { chunkCount = queues * 2 * ringSize + IN_HAND, chunkLen, debug } = spec;
    this.role = role;
    this.#ownsMemory = spec.memory === undefined;
    this.#trustPeer = role === 'client' || spec.trustPeer === true;
    this.memory =
      spec.memory ??
      new PacketMemory({
        chunkCount,
        ...(chunkLen === undefined ? {} : { chunkLen }),
        ...(debug === undefined ? {} : { debug }),
      });
    this.#spare = new Burst(ringSize);
    this.#doorbell = new Doorbell(`memif ${path}`);
    try {
      this.#endpoint = openEndpoint(spec, { path, id, queues, log2RingSize }, this.memory);
    } catch (error) {
      if (this.#ownsMemory) this.memory.close();
      throw error;
    }
  }

  /** Readable when there is something to do, once armed; the same for ever. */
  get fd(): number {
    return this.#endpoint.fd;
  }

  /** In words, who the peer is, or how it is looked for. */
  get state(): string {
    return this.#endpoint.state;
  }

  /** Whether there is a peer that takes frames. */
  get connected(): boolean {
    return this.#endpoint.connection !== undefined;
  }

  /** What is weaker here than it should be beside a peer that is not trusted, a line each. */
  get reasons(): readonly string[] {
    const { reason } = this.#doorbell;
    return reason === undefined || this.#trustPeer ? [] : [reason];
  }

  /** Pairs of rings of the connection; 0 without one. */
  get queueCount(): number {
    return this.#queues.length;
  }

  /**
   * Has the next frames sent on this queue, until frames are received from another.
   *
   * @throws RangeError when the connection has no such queue
   */
  useQueue(queue: number): void {
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.#queues.length) {
      throw new RangeError(`Cannot send on queue ${queue}: the connection has ${this.#queues.length}`);
    }
    this.#current = queue;
  }

  /** Receives a burst from the next queue that has one. @returns descriptors @hot */
  rx(burst: Burst): number {
    // NB: first, since a connection that has ended may be let go of by it.
    if (this.#armed) this.#disarm();
    const queues = this.#queues;
    for (let tries = queues.length; tries > 0; tries--) {
      const index = this.#next;
      this.#next = index + 1 === queues.length ? 0 : index + 1;
      const count = queues[index]!.rx(burst);
      if (count > 0) {
        this.#current = index;
        if (this.#drainLooks > 0) this.#drainLooks = DRAIN_LOOKS;
        // Chunks that go on to another interface of the memory never come by recycle().
        if (index < this.#lenders.length) this.#top(this.#lenders[index]!);
        return count;
      }
      if (count < 0) {
        this.#endConnection(count);
        return 0;
      }
    }
    burst.count = 0;
    this.#rest();
    return 0;
  }

  /** Appends up to `count` writable frames to `burst`. @returns how many @hot */
  alloc(burst: Burst, count: number): number {
    const pool = this.memory.pool;
    if (pool.free < count) this.#reap();
    return pool.allocInto(burst, count, 0, 0);
  }

  /**
   * Sends a prefix of `burst`, on the queue that was received from last, and returns its length: 0 without a peer.
   *
   * @throws RangeError when a frame is empty, leaves its chunk or has no last piece; none is then accepted
   * @hot
   */
  tx(burst: Burst): number {
    const index = this.#current;
    let count = 0;
    if (this.connected) {
      count = this.#queues[index]!.tx(burst);
      this.#unflushed[index] = 1;
    }
    if (count < 0) {
      this.#endConnection(count);
      count = 0;
    }
    if (count < burst.count) {
      this.counters[MemifCounter.txRefused]! += burst.count - count;
      this.#rest();
    }
    return count;
  }

  /** Wakes the peer when it sleeps and was sent something. @hot */
  flush(): void {
    const queues = this.#queues;
    for (let i = 0; i < queues.length; i++) {
      if (this.#unflushed[i] === 0) continue;
      this.#unflushed[i] = 0;
      if (queues[i]!.wantsInterrupt()) this.#ring(i);
    }
    // Another interface of the memory may need what was sent.
    if (this.memory.pool.free < this.#spare.capacity) this.#reap();
  }

  /** Gives the chunks of `burst` back, as a client to the peer to be filled anew. Empties the burst. @hot */
  recycle(burst: Burst): void {
    const count = burst.count;
    burst.count = 0;
    const lent = this.#lenders.length === 0 ? 0 : this.#lenders[this.#current]!.lend(burst.addr, 0, count);
    this.memory.pool.putFrom(burst.addr, lent, count - lent);
    for (let i = 0; i < this.#lenders.length; i++) this.#top(this.#lenders[i]!);
  }

  /** Asks to be woken, and tells whether nothing waits. */
  arm(): boolean {
    this.#look();
    let idle = this.#drainLooks === 0;
    for (const queue of this.#queues) idle = queue.arm(true) && idle;
    for (const lender of this.#lenders) this.#refill(lender);
    this.#armed = true;
    return idle;
  }

  /** What the control channel counted. */
  statistics(): MemifStatistics {
    return this.#endpoint.statistics();
  }

  /** Tells the peer, and gives everything back. Idempotent. @throws Error in debug mode, when chunks were still in hand */
  close(): void {
    this.#release();
    this.#endpoint.close();
    this.#doorbell.close();
    if (this.#ownsMemory) this.memory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Nothing was to be done: once in a while, sees to the control channel. */
  #rest(): void {
    this.#idle = (this.#idle + 1) & (this.connected ? IDLE_MASK : UNCONNECTED_IDLE_MASK);
    if (this.#idle === 0) this.#look();
  }

  #look(): void {
    for (const lender of this.#lenders) lender.show();
    if (this.#drainLooks > 0 && !this.#drained()) return;
    if (!this.#endpoint.poll()) return;
    const { connection } = this.#endpoint;
    if (connection !== undefined) this.#connect(connection);
    else if (this.#queues.length > 0) this.#drainLooks = DRAIN_LOOKS;
  }

  /** Whether a connection that ended is let go of: its memory ends with the next poll() of the endpoint. */
  #drained(): boolean {
    this.#drainLooks--;
    if (this.#drainLooks > 0 && this.#queues.some((queue) => !queue.arm(false))) return false;
    this.#release();
    return true;
  }

  #connect({ regions, toServer, toClient }: MemifConnection): void {
    const ringAt = ({ region, offset, log2Size }: MemifRingPlace): MemifRing =>
      new MemifRing(regions[region]!, offset, log2Size);
    const { memory, counters } = this;
    const pairs = Array.from({ length: Math.min(toServer.length, toClient.length) }, (_, i) => i);
    if (this.role === 'client') {
      this.#lenders = pairs.map(
        (i) => new ClientQueue(ringAt(toServer[i]!), ringAt(toClient[i]!), memory, counters),
      );
      this.#queues = this.#lenders;
      for (const lender of this.#lenders) this.#refill(lender);
    } else {
      this.#queues = pairs.map(
        (i) => new ServerQueue(ringAt(toServer[i]!), ringAt(toClient[i]!), regions, memory, counters),
      );
    }
    const [ours, theirs] = this.role === 'client' ? [toClient, toServer] : [toServer, toClient];
    this.#peerInterrupts = pairs.map((i) => theirs[i]!.interrupt);
    this.#watched = pairs.map((i) => ours[i]!.interrupt);
    for (const fd of this.#watched) this.#endpoint.watch(fd);
    this.#unflushed = new Uint8Array(pairs.length);
    this.#next = 0;
    this.#current = 0;
  }

  /** Takes back what is on the rings, and forgets them. */
  #release(): void {
    for (const lender of this.#lenders) lender.release();
    for (const fd of this.#watched) this.#endpoint.unwatch(fd);
    this.#queues = [];
    this.#lenders = [];
    this.#peerInterrupts = [];
    this.#watched = [];
    this.#drainLooks = 0;
  }

  /** The peer has said what cannot be. */
  #endConnection(lie: number): void {
    this.#endpoint.disconnect(describeLie(lie));
    this.#release();
  }

  #reap(): void {
    for (const lender of this.#lenders) {
      const lie = lender.reap();
      if (lie < 0) {
        this.#endConnection(lie);
        return;
      }
    }
  }

  /** Lends the peer more when it has less than half of what it may have. */
  #top(lender: ClientQueue): void {
    if (lender.lacking > lender.size >>> 1) this.#refill(lender);
  }

  /** Lends the peer what it lacks, of what is free. */
  #refill(lender: ClientQueue): void {
    const { pool } = this.memory;
    if (pool.free < lender.lacking) this.#reap();
    // NB: the connection may have ended with that, for a lie.
    if (this.#lenders.length === 0) return;
    const spare = this.#spare;
    const taken = pool.takeInto(spare.addr, 0, Math.min(lender.lacking, spare.capacity));
    const lent = lender.lend(spare.addr, 0, taken);
    pool.putFrom(spare.addr, lent, taken - lent);
  }

  /** We are awake: the peer need not ring. */
  #disarm(): void {
    this.#armed = false;
    for (const queue of this.#queues) queue.arm(false);
    this.#look();
  }

  #ring(queue: number): void {
    this.counters[MemifCounter.signals]! += 1;
    // What could not be told now is told by the next flush.
    if (this.#doorbell.ring(this.#peerInterrupts[queue]!) < 0) this.#unflushed[queue] = 1;
  }
}
