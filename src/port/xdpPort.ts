import type { Burst } from '../core/index.ts';
import { parseMac } from '../wire/index.ts';
import { XdpInterface, type XdpInterfaceSpec, type XdpSocket } from '../xdp/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

const ETH_HEADER_LEN = 14;

/**
 * A port over AF_XDP: all opened nicQueues of an interface as one, a region for each, or the one umem that it was given.
 *
 * rx() takes a burst from one queue, then from the next; the frames of a flow stay in order, since a flow stays on its
 * queue. A frame is sent on the queue in whose region it lies, with one umem on the queue that was received from last;
 * alloc() takes from the first. Two ports on one umem have the same `regions`: what one received, the other can send.
 */
export class XdpPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** whose clock fills `timestampNs` of a burst that has it */
  readonly timestampSource: XdpInterface['timestampSource'];
  /** the interface behind the port: modes, flow counters, sockets */
  readonly interface: XdpInterface;
  readonly #sockets: readonly XdpSocket[];
  /** by region, where its frames are sent and its chunks go back to; of one umem, where the last burst came from */
  readonly #owners: XdpSocket[];
  /** whom rx() asks next */
  #next = 0;

  /** Opens the interface. @throws what {@link XdpInterface} throws */
  constructor(spec: XdpInterfaceSpec, text: string = `xdp:${spec.interface}`) {
    const opened = new XdpInterface(spec);
    const { info, sockets } = opened;
    this.spec = text;
    this.interface = opened;
    this.timestampSource = opened.timestampSource;
    this.report = {
      via: 'xdp',
      accelerated: true,
      mode: `${opened.attachMode} mode, ${opened.mode}, ${sockets.length} of ${info.nicQueues} queues`,
      // Read anew: busy polling, for one, may engage after the first frames.
      get reasons(): readonly string[] {
        return opened.reasons;
      },
    };
    this.mac = info.mac === undefined ? new Uint8Array(6) : parseMac(info.mac);
    const { maxFrameLen, chunkLen, txHeadroom } = sockets[0]!.umem;
    this.mtu = spec.multiBuffer ? info.mtu : Math.min(info.mtu, maxFrameLen - ETH_HEADER_LEN);
    // A frame to send starts at an even addr.
    this.maxPieceLen = chunkLen - txHeadroom - ((chunkLen | txHeadroom) & 1);
    this.regions = spec.umem === undefined ? sockets.map(({ umem }) => umem) : [spec.umem];
    this.fds = sockets.map((socket) => socket.fd);
    this.#sockets = sockets;
    this.#owners = sockets.slice(0, this.regions.length);
  }

  /** Takes a burst from the next queue that has one. @hot */
  rx(burst: Burst): number {
    const sockets = this.#sockets;
    const owners = this.#owners;
    for (let tries = sockets.length; tries > 0; tries--) {
      const socket = sockets[this.#next]!;
      this.#next = this.#next + 1 === sockets.length ? 0 : this.#next + 1;
      if (socket.rx(burst) > 0) {
        if (owners.length === 1) owners[0] = socket;
        return burst.count;
      }
    }
    return 0;
  }

  /** Takes free chunks of the first queue. @hot */
  alloc(burst: Burst, count: number): number {
    return this.#sockets[0]!.alloc(burst, count);
  }

  /**
   * Queues each frame on the queue of its region, up to the first that is full, or has a frame that cannot be sent.
   *
   * @throws RangeError when that frame is in the first run of frames of one region; nothing is then accepted
   * @hot
   */
  tx(burst: Burst): number {
    return this.#owners.length === 1 ? this.#owners[0]!.tx(burst) : this.#txRuns(burst);
  }

  /** Has the queued frames of all queues sent. @hot */
  flush(): void {
    const sockets = this.#sockets;
    for (let i = 0; i < sockets.length; i++) sockets[i]!.flush();
  }

  /** Returns every chunk to its queue. @hot */
  recycle(burst: Burst): void {
    if (this.#owners.length === 1) {
      this.#owners[0]!.recycle(burst);
      return;
    }
    for (let first = 0; first < burst.count; ) {
      const count = runOf(burst, first);
      this.#owners[burst.region[first]!]!.recycleRange(burst, first, count);
      first += count;
    }
    burst.count = 0;
  }

  /** Wakes what sleeps in the kernel and tells whether nothing is waiting. @throws SystemError ENETDOWN */
  arm(): boolean {
    let idle = true;
    for (let i = 0; i < this.#sockets.length; i++) idle = this.#sockets[i]!.arm() && idle;
    return idle;
  }

  /** The sockets' counters, summed; drops are the kernel's reasons. */
  statistics(): PortStatistics {
    const all = this.interface.statistics();
    return {
      rxFrames: all.rxFrames,
      rxBytes: all.rxBytes,
      txFrames: all.txFrames,
      txBytes: all.txBytes,
      txRefused: all.txRefused,
      drops: {
        rxRingFull: all.rxRingFull,
        rxDropped: all.rxDropped,
        rxInvalidDescs: all.rxInvalidDescs,
        txInvalidDescs: all.txInvalidDescs,
      },
      wakeups: all.txWakeups + all.rxWakeups + all.busyPolls,
    };
  }

  /** Detaches the program and closes sockets and umems. Idempotent. */
  close(): void {
    this.interface.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Sends runs of frames of one region, each on its queue. */
  #txRuns(burst: Burst): number {
    let first = 0;
    try {
      while (first < burst.count) {
        const count = runOf(burst, first);
        const accepted = this.#owners[burst.region[first]!]!.txRange(burst, first, count);
        first += accepted;
        if (accepted < count) break;
      }
    } catch (error) {
      // What other queues accepted is no longer the caller's, and has to be told; the next call throws.
      if (first === 0) throw error;
    }
    return first;
  }
}

/** How many descriptors from `first` on lie in one region. */
function runOf(burst: Burst, first: number): number {
  const region = burst.region[first]!;
  let end = first + 1;
  while (end < burst.count && burst.region[end] === region) end++;
  return end - first;
}
