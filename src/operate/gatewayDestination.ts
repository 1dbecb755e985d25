import { Burst } from '../core/index.ts';
import type { Port, PortReport } from '../port/index.ts';
import { SystemError } from '../sys/index.ts';
import type { FlowTable } from './flowTable.ts';
import { FrameFlow, frameLen, lastPiece } from './frameFlow.ts';
import type { GatewayOut } from './gateway.ts';
import { Outlet, outletCounters } from './outlet.ts';

/** Frames in one direction. */
export interface DirectionReading {
  readonly sent: number;
  /** by reason; reasons that did not occur are left out */
  readonly dropped: Readonly<Record<string, number>>;
}

/** What a gateway has done so far for one destination. */
export interface DestinationReading {
  /** spec of its port */
  readonly to: string;
  /** somebody is at the other end */
  readonly connected: boolean;
  /** why the port is gone for good; null while it is not */
  readonly lost: string | null;
  /** frames to it */
  readonly in: DirectionReading;
  /** frames from it */
  readonly out: DirectionReading;
  /** frames that its port lost, by reason; reasons that did not occur are left out */
  readonly portDrops: Readonly<Record<string, number>>;
}

/** What a {@link GatewayDestination} is made of. */
export interface GatewayDestinationSpec {
  readonly port: Port;
  /** where its flows come from, and its frames go */
  readonly from: Port;
  /** its index, which its flows have in the tables */
  readonly owner: number;
  readonly out: GatewayOut;
  readonly burst: number;
  /** whose a sent frame is; only for `flow` */
  readonly sent: FlowTable | undefined;
  /** hears that the port is gone for good */
  readonly onLost: () => void;
}

const MAC_LEN = 6;

/** One destination of a gateway: the way to its port, and the way out for what it sends. */
export class GatewayDestination {
  readonly #port: Port;
  readonly #views: readonly DataView[];
  readonly #owner: number;
  readonly #mode: GatewayOut;
  readonly #sent: FlowTable | undefined;
  readonly #mac: DataView;
  readonly #outViews: readonly DataView[];
  readonly #burst: Burst;
  readonly #in: Outlet;
  readonly #out: Outlet;
  readonly #flow = new FrameFlow();
  readonly #onLost: () => void;
  #lost: SystemError | undefined;

  /** @throws RangeError when the burst is none */
  constructor({ port, from, owner, out, burst, sent, onLost }: GatewayDestinationSpec) {
    this.#port = port;
    this.#views = port.regions.map(({ view }) => view);
    this.#owner = owner;
    this.#mode = out;
    this.#sent = sent;
    this.#onLost = onLost;
    this.#mac = new DataView(from.mac.slice().buffer);
    this.#outViews = from.regions.map(({ view }) => view);
    this.#burst = new Burst(burst);
    this.#in = new Outlet(port, burst);
    this.#out = new Outlet(from, burst);
  }

  /** How its port runs. */
  get report(): PortReport {
    return this.#port.report;
  }

  /** Copies a frame that is for this destination, to be sent with the rest of the burst. */
  take(views: readonly DataView[], burst: Burst, first: number, len: number): void {
    if (this.#lost !== undefined) {
      this.#in.countLost();
      return;
    }
    try {
      this.#in.take(views, burst, first, len);
    } catch (error) {
      this.#lose(error);
      this.#in.countLost();
    }
  }

  /** Sends what was taken. Losing the port is no error of the gateway: it costs this destination. */
  send(): void {
    if (this.#lost !== undefined) return;
    try {
      this.#in.send();
    } catch (error) {
      this.#lose(error);
    }
  }

  /** Sends on a burst of what this destination sent, as far as it may. @returns descriptors received from it */
  collect(): number {
    if (this.#lost !== undefined) return 0;
    const count = this.#receive();
    if (count === 0) return 0;
    const burst = this.#burst;
    const out = this.#out;
    for (let first = 0; first < count; ) {
      const last = lastPiece(burst, first);
      this.#pass(first, frameLen(burst, first, last));
      first = last + 1;
    }
    this.#port.recycle(burst);
    out.send();
    return count;
  }

  /** Asks its port. */
  arm(): boolean {
    if (this.#lost !== undefined) return true;
    try {
      return this.#port.arm();
    } catch (error) {
      this.#lose(error);
      return false;
    }
  }

  /** Reads what was forwarded and dropped so far. */
  read(): DestinationReading {
    const lost = this.#lost;
    const { drops } = this.#port.statistics();
    return {
      to: this.#port.spec,
      connected: lost === undefined && this.#in.connected,
      lost: lost?.message ?? null,
      in: directionOf(this.#in),
      out: directionOf(this.#out),
      portDrops: Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0)),
    };
  }

  #receive(): number {
    try {
      return this.#port.rx(this.#burst);
    } catch (error) {
      this.#lose(error);
      return 0;
    }
  }

  /** Copies a frame out and looks at the copy, which nobody else can write: the sender still can write the original. */
  #pass(first: number, len: number): void {
    const out = this.#out;
    if (this.#mode === 'none') out.deny();
    else if (out.take(this.#views, this.#burst, first, len) && this.#mode === 'flow' && !this.#isOwn()) {
      out.refuse();
    }
  }

  /** Whether the frame that was taken last is a datagram from one of the destination's flows, sent by this host. */
  #isOwn(): boolean {
    const { burst, lastPieces } = this.#out;
    const first = burst.count - lastPieces;
    const flow = this.#flow;
    if (flow.read(this.#outViews, burst, first, frameLen(burst, first, burst.count - 1)) < 0) return false;
    const { frame } = flow;
    const source = frame.offset + MAC_LEN;
    const mac = this.#mac;
    return (
      frame.view.getInt32(source) === mac.getInt32(0) &&
      frame.view.getUint16(source + 4) === mac.getUint16(4) &&
      this.#sent!.find(frame.ipVersion, frame.sourcePort, frame.view, frame.addressOffset) === this.#owner
    );
  }

  #lose(error: unknown): void {
    if (!(error instanceof SystemError)) throw error;
    this.#lost = error;
    this.#in.lose();
    this.#onLost();
  }
}

function directionOf({ counters }: Outlet): DirectionReading {
  const [sent, ...drops] = [...counters.entries()].map(([i, count]) => [outletCounters[i]!, count] as const);
  return { sent: sent![1], dropped: Object.fromEntries(drops.filter(([, count]) => count > 0)) };
}
