import type { Burst } from '../core/index.ts';
import { PacketSocket, type PacketSocketSpec } from '../packet/index.ts';
import { parseMac } from '../wire/index.ts';
import type { Port, PortReport, PortStatistics, Region } from './port.ts';

const ETH_HEADER_LEN = 14;

/**
 * A port over AF_PACKET: the fallback where XDP is impossible.
 *
 * Not a bypass: the kernel's network stack sees every frame too, and may answer it. Received frames are read in place;
 * frames to send, received ones among them, are copied into the tx ring.
 */
export class PacketPort implements Port {
  readonly spec: string;
  readonly report: PortReport;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly maxPieceLen: number;
  readonly regions: readonly Region[];
  readonly fds: readonly number[];
  /** the socket behind the port: its layout, its counters */
  readonly socket: PacketSocket;

  /** Opens the interface. @throws what {@link PacketSocket} throws */
  constructor(spec: PacketSocketSpec, text: string = `packet:${spec.interface}`) {
    const socket = new PacketSocket(spec);
    const { link, layout } = socket;
    this.spec = text;
    this.socket = socket;
    this.report = {
      via: 'packet',
      accelerated: false,
      mode: `TPACKET_V2, ${layout.rxSize} slots of ${layout.frameLen} bytes${spec.qdiscBypass ? ', past the qdisc' : ''}`,
      reasons: ['the kernel sees every frame too, and may answer it', ...socket.reasons],
    };
    this.mac = link.mac === undefined ? new Uint8Array(6) : parseMac(link.mac);
    this.mtu = Math.min(link.mtu, layout.maxRxLen - ETH_HEADER_LEN, layout.maxTxLen - ETH_HEADER_LEN);
    this.maxPieceLen = layout.maxTxLen;
    this.regions = [socket];
    this.fds = [socket.fd];
  }

  /** Takes received frames, in place. @throws SystemError ENETDOWN once the interface was removed @hot */
  rx(burst: Burst): number {
    return this.socket.rx(burst);
  }

  /** Takes free chunks. @hot */
  alloc(burst: Burst, count: number): number {
    return this.socket.alloc(burst, count);
  }

  /** Copies frames into the tx ring. @throws RangeError when the first cannot be sent @hot */
  tx(burst: Burst): number {
    return this.socket.tx(burst);
  }

  /** Has the tx ring sent. @throws SystemError ENETDOWN while the interface is down @hot */
  flush(): void {
    this.socket.flush();
  }

  /** Gives slots back to the kernel, and chunks to the pool. @hot */
  recycle(burst: Burst): void {
    this.socket.recycle(burst);
  }

  /** Tells whether nothing is waiting. @throws SystemError ENETDOWN once the interface was removed */
  arm(): boolean {
    return this.socket.arm();
  }

  /** The socket's counters and the kernel's drops. */
  statistics(): PortStatistics {
    const { rxFrames, rxBytes, txFrames, txBytes, txRefused, rxRingFull, truncated, txInvalid, txWakeups } =
      this.socket.statistics();
    return {
      ...{ rxFrames, rxBytes, txFrames, txBytes, txRefused },
      drops: { rxRingFull, truncated, txInvalid },
      wakeups: txWakeups,
    };
  }

  /** Closes the socket and unmaps its memory. Idempotent. */
  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
