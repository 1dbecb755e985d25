/** Where one ring lies, and how to wake who reads it. */
export interface MemifRingPlace {
  /** index of the region that has it */
  readonly region: number;
  /** of its header in the region, a multiple of 4 [bytes] */
  readonly offset: number;
  /** 2^log2Size descriptors, at most 2^14 */
  readonly log2Size: number;
  /** eventfd that the side producing into the ring writes, unless the ring's flag masks it; -1 when there is none */
  readonly interrupt: number;
}

/**
 * What a handshake came to: memory and rings that two programs share. Plain data.
 *
 * Every place was checked against the length of its region. What the memory itself says is the peer's word.
 */
export interface MemifConnection {
  /** name of the peer's application: `DPDK 24.11.2` */
  readonly remoteName: string;
  /** name of the peer's interface: `net_memif0` */
  readonly remoteInterface: string;
  /** memory as mapped in this process, by memif's region index; of a client the rings alone (0), its packets are its own */
  readonly regions: readonly ArrayBuffer[];
  /** rings from client to server, one for each nicQueue; the client produces frames */
  readonly toServer: readonly MemifRingPlace[];
  /** rings from server to client, one for each nicQueue; the client lends buffers, the server fills them */
  readonly toClient: readonly MemifRingPlace[];
}

/** What an endpoint counted since it was opened. */
export interface MemifStatistics {
  /** handshakes that came to a connection */
  readonly connects: number;
  /** connections that ended, by reason: `the peer is gone`, `peer: Device closed`, `wrong cursor` */
  readonly disconnects: Readonly<Record<string, number>>;
  /** handshakes that came to nothing, by reason: `wrong secret`, `region memory not sealed` */
  readonly refusals: Readonly<Record<string, number>>;
}

/**
 * One side of memif's control channel: finds a peer, agrees on memory and rings, notices its end, finds the next.
 *
 * One thread drives it, by {@link MemifEndpoint.poll}. Nothing blocks.
 *
 * Memory: when a connection ends, be it in poll() or by disconnect(), its regions stay mapped and its interrupts open
 * until the next poll() or close(), so that the data path can let go; then they are detached and closed.
 */
export interface MemifEndpoint extends Disposable {
  readonly role: 'client' | 'server';
  /** an epoll descriptor, the same for the endpoint's life: readable when poll() has something to do */
  readonly fd: number;
  /** undefined while there is no peer */
  readonly connection: MemifConnection | undefined;
  /** in words, for reports: `listening on /run/m`, `connecting to /run/m: ECONNREFUSED`, `connected to testpmd` */
  readonly state: string;
  /**
   * Handles what waits and returns true when {@link MemifEndpoint.connection} changed, at most once a call: two
   * connections never follow each other without `undefined` between.
   *
   * Never blocks, never throws for what a peer did.
   */
  poll(): boolean;
  /**
   * Ends the connection, if there is one: tells the peer why; `connection` is undefined at once, without a poll() that
   * says so. Another one may follow.
   *
   * @param reason - for the peer and the statistics, one of few: `wrong cursor` [at most 95 bytes]
   */
  disconnect(reason: string): void;
  /**
   * Has {@link MemifEndpoint.fd} become readable when `fd` does, once for each time that something arrives (edge):
   * whoever is woken calls poll(), and needs not read `fd`, which could block on a peer's.
   */
  watch(fd: number): void;
  /** Ends {@link MemifEndpoint.watch}; to be called before `fd` is closed. Unknown ones are ignored. */
  unwatch(fd: number): void;
  /** What was counted since it was opened. */
  statistics(): MemifStatistics;
  /** Tells the peer, unmaps and closes everything. Idempotent. */
  close(): void;
}
