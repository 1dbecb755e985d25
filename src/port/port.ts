import type { Burst } from '../core/index.ts';

/** One contiguous piece of packet memory, as this isolate sees it. */
export interface Region {
  /** for reads of several bytes; offsets are descriptors' addrs */
  readonly view: DataView;
  /** the same memory as bytes */
  readonly bytes: Uint8Array;
}

/** How a port runs, and why it runs weaker than asked where it does. */
export interface PortReport {
  /** the scheme of its spec: `xdp`, `loop` */
  readonly via: string;
  /** frames reach us without the kernel's network stack */
  readonly accelerated: boolean;
  /** in words: `native mode, copy, 2 of 2 queues` */
  readonly mode: string;
  /** one line for every step down, as of now: huge pages refused, generic instead of native mode, a queue not opened */
  readonly reasons: readonly string[];
}

/** What a port counted; every frame lost stands in `drops` under its reason. */
export interface PortStatistics {
  /** [frames] */
  readonly rxFrames: number;
  readonly rxBytes: number;
  /** [frames] */
  readonly txFrames: number;
  readonly txBytes: number;
  /** frames that tx() left with the caller */
  readonly txRefused: number;
  /** frames lost, by reason */
  readonly drops: Readonly<Record<string, number>>;
  /** system calls that woke the kernel; absent where a port makes none */
  readonly wakeups?: number;
}

/**
 * Something that receives and transmits Ethernet frames in bursts, through memory that it shows.
 *
 * Ownership: rx() and alloc() hand chunks to the caller; tx() takes those it accepts, recycle() takes the rest. Each
 * chunk goes back to the port it came from. A frame for another port is copied by whoever wants that, unless the two have
 * a region in common: then it may be sent there as it is, and its chunk is that port's.
 * A frame over several chunks is consecutive descriptors, all but the last flagged `continues`; rx() never splits it
 * between bursts, tx() accepts it whole or not at all.
 *
 * One thread drives a port. Nothing blocks. Losing the interface is a SystemError from rx(), flush() or arm().
 */
export interface Port extends Disposable {
  /** what was opened: `xdp:eth0?queue=0` */
  readonly spec: string;
  readonly report: PortReport;
  /** hardware address [6 bytes] */
  readonly mac: Uint8Array;
  /** longest IP packet, without the Ethernet header [bytes] */
  readonly mtu: number;
  /** longest frame, or piece of a frame, that has room in a chunk from alloc(); may be less than mtu [bytes] */
  readonly maxPieceLen: number;
  /** packet memory; `burst.region` indexes it */
  readonly regions: readonly Region[];
  /** descriptors that become readable when frames arrive, for poll(2); empty when there is nothing to sleep on */
  readonly fds: readonly number[];
  /** rx() will never return a frame again, as at the end of a file; absent where a frame may always come */
  readonly ended?: boolean;
  /** somebody is at the other end, to whom tx() can give frames; absent where a port cannot tell */
  readonly connected?: boolean;

  /** Replaces the contents of `burst` by received frames and returns how many descriptors there are. @hot */
  rx(burst: Burst): number;
  /** Appends up to `count` writable frames to `burst` and returns how many; their `len` is 0 until written. @hot */
  alloc(burst: Burst, count: number): number;
  /** Queues a prefix of `burst` for sending and returns its length; the caller keeps the rest. @hot */
  tx(burst: Burst): number;
  /** Has queued frames sent; one system call at most for many frames. @hot */
  flush(): void;
  /** Takes back all chunks of `burst` and empties it. @hot */
  recycle(burst: Burst): void;
  /**
   * Asks for a wake-up through `fds`; true when nothing is waiting, so that the caller may sleep.
   *
   * Without fds nothing could wake the sleeper: always false.
   */
  arm(): boolean;
  /** What was counted since the port was opened. */
  statistics(): PortStatistics;
  /** Gives everything back. Idempotent; frames still held are lost. */
  close(): void;
}
