import type { Burst } from '../core/index.ts';
import { FrameCounter, FrameFile, Tap, type TapSpec } from '../tap/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

/** Ethernet header and two VLAN tags. [bytes] */
const MAX_HEADER_LEN = 22;

/** How to open a {@link TapPort}. */
export interface TapPortSpec extends TapSpec {
  /** default 1024 [chunks] */
  readonly chunkCount?: number;
  /** prove the owner of every chunk at every step; slow; default false */
  readonly debug?: boolean;
}

/**
 * A port on the other end of a tap interface's cable: what the kernel sends there is received here, and the reverse.
 *
 * For programs that are to talk with the kernel of their own host, and for tests. Each frame is copied, and costs a system
 * call; tx() makes it, so flush() has nothing to do. A frame that is sent may have several pieces, one received has one.
 */
export class TapPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** the interface behind the port: its name, the kernel's hardware address */
  readonly interface: Tap;
  /** packet memory, its pool and counters */
  readonly frames: FrameFile;

  /** Opens the interface. @throws what {@link Tap} and {@link FrameFile} throw */
  constructor(spec: TapPortSpec = {}, text?: string) {
    using cleanup = new DisposableStack();
    const tap = cleanup.use(new Tap(spec));
    this.frames = new FrameFile({
      fd: tap.fd,
      what: tap.interface,
      maxFrameLen: tap.mtu + MAX_HEADER_LEN,
      chunkCount: spec.chunkCount,
      debug: spec.debug,
    });
    cleanup.move();
    this.interface = tap;
    this.spec = text ?? `tap:${tap.interface}`;
    this.mac = tap.mac;
    this.mtu = tap.mtu;
    this.maxPieceLen = this.frames.pool.chunkLen;
    this.regions = [this.frames];
    this.fds = [tap.fd];
    const persistent = tap.persistent ? ', persistent' : '';
    this.report = {
      via: 'tap',
      accelerated: false,
      mode: `${tap.interface}${persistent}, a system call and a copy for each frame`,
      reasons: [],
    };
  }

  /** Reads up to a burst of frames. @throws SystemError EBADFD once the interface is gone @hot */
  rx(burst: Burst): number {
    return this.frames.rx(burst);
  }

  /** Takes free chunks. @hot */
  alloc(burst: Burst, count: number): number {
    return this.frames.alloc(burst, count);
  }

  /** Has the kernel receive whole frames, up to the first that it has no room for. @hot */
  tx(burst: Burst): number {
    return this.frames.tx(burst);
  }

  /** Sends nothing: tx() has. @throws SystemError EBADFD once the interface is gone @hot */
  flush(): void {
    this.frames.assertUsable();
  }

  /** Gives chunks back. @hot */
  recycle(burst: Burst): void {
    this.frames.recycle(burst);
  }

  /** Tells whether no frame is waiting. @throws SystemError EBADFD once the interface is gone */
  arm(): boolean {
    return this.frames.arm();
  }

  /** What was counted here, and what the kernel dropped because it was not read in time. */
  statistics(): PortStatistics {
    const { counters } = this.frames;
    return {
      rxFrames: counters[FrameCounter.rxFrames]!,
      rxBytes: counters[FrameCounter.rxBytes]!,
      txFrames: counters[FrameCounter.txFrames]!,
      txBytes: counters[FrameCounter.txBytes]!,
      txRefused: counters[FrameCounter.txRefused]!,
      drops: {
        rxQueueFull: this.interface.kernelDrops(),
        rxTooLong: counters[FrameCounter.rxTooLong]!,
        txInvalid: counters[FrameCounter.txInvalid]!,
        linkDown: counters[FrameCounter.linkDown]!,
      },
      wakeups: counters[FrameCounter.calls]!,
    };
  }

  /** Lets go of the interface and unmaps the memory. Idempotent. */
  close(): void {
    this.interface.close();
    this.frames.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
