import type { Burst } from '../core/index.ts';
import { MemifCounter, MemifInterface, type MemifInterfaceSpec } from '../memif/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

/** How to open a {@link MemifPort}. */
export interface MemifPortSpec extends MemifInterfaceSpec {
  /** longest IP packet that programs on this port send; default 1500 [bytes] */
  readonly mtu?: number;
  /** hardware address [6 bytes]; default one made of path, id and role, the same for every start */
  readonly mac?: Uint8Array;
}

/**
 * A port over memif: frames to and from one other program through shared memory, without the kernel.
 *
 * The peer may come later, go, and come again: meanwhile tx() takes nothing, and what the last peer left on the rings
 * is still received. All frames are in one region; with `memory` it is that of another port, to which frames then move
 * without a copy.
 */
export class MemifPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** the interface behind the port: its peer, its memory, its counters */
  readonly interface: MemifInterface;

  /** Opens the control socket. @throws what {@link MemifInterface} throws; RangeError for an impossible mtu */
  constructor(spec: MemifPortSpec, text: string = `memif:${spec.path}`) {
    const { mtu = 1500 } = spec;
    if (!(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65_535)) {
      throw new RangeError(`Cannot open ${text}: mtu must be 68 to 65535 bytes, got ${mtu}`);
    }
    const opened = new MemifInterface(spec);
    this.spec = text;
    this.interface = opened;
    this.report = {
      via: 'memif',
      accelerated: true,
      // As of now: peers come and go.
      get mode(): string {
        return `${opened.role}, ${opened.state}`;
      },
      get reasons(): readonly string[] {
        return opened.reasons;
      },
    };
    this.mac = spec.mac ?? macOf(`${spec.path} ${spec.id ?? 0} ${opened.role}`);
    this.mtu = mtu;
    this.maxPieceLen = opened.memory.chunkLen;
    this.regions = [opened.memory];
    this.fds = [opened.fd];
  }

  /** Whether there is a peer. */
  get connected(): boolean {
    return this.interface.connected;
  }

  /** Receives a burst from the next queue that has one. @hot */
  rx(burst: Burst): number {
    return this.interface.rx(burst);
  }

  /** Takes free chunks. @hot */
  alloc(burst: Burst, count: number): number {
    return this.interface.alloc(burst, count);
  }

  /** Shows the peer a prefix of the frames; nothing without a peer. @throws RangeError for what is no frame @hot */
  tx(burst: Burst): number {
    return this.interface.tx(burst);
  }

  /** Wakes a peer that sleeps. @hot */
  flush(): void {
    this.interface.flush();
  }

  /** Gives the chunks back: to the pool, or to the peer to be filled anew. @hot */
  recycle(burst: Burst): void {
    this.interface.recycle(burst);
  }

  /** Asks the peer to wake us, and tells whether nothing is waiting. */
  arm(): boolean {
    return this.interface.arm();
  }

  /** What this side counted; a frame that the peer never took is `unsent`, one in too many pieces `tooLong`. */
  statistics(): PortStatistics {
    const { counters } = this.interface;
    return {
      rxFrames: counters[MemifCounter.rxFrames]!,
      rxBytes: counters[MemifCounter.rxBytes]!,
      txFrames: counters[MemifCounter.txFrames]!,
      txBytes: counters[MemifCounter.txBytes]!,
      txRefused: counters[MemifCounter.txRefused]!,
      drops: { tooLong: counters[MemifCounter.tooLong]!, unsent: counters[MemifCounter.unsent]! },
    };
  }

  /** Tells the peer and gives everything back; what the peer has not taken yet it still can. Idempotent. */
  close(): void {
    this.interface.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Makes a locally administered address that tells ports apart: FNV-1a of `text`. */
function macOf(text: string): Uint8Array {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return Uint8Array.of(0x02, 0x6d, hash >>> 24, hash >>> 16, hash >>> 8, hash);
}
