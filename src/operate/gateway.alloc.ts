import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import { LoopPort, type Port } from '../port/index.ts';
import { UdpFrameTemplate } from '../wire/index.ts';
import { Gateway } from './gateway.ts';

const BURST = 32;

/** Frames of `len` payload bytes to UDP port 9000, or from it. */
function frameOf(out: boolean): Uint8Array {
  const template = new UdpFrameTemplate({
    destinationMac: out ? '02:00:00:00:00:01' : '02:00:00:00:00:02',
    sourceMac: out ? '02:00:00:00:00:02' : '02:00:00:00:00:01',
    destinationAddress: out ? '10.0.0.1' : '10.0.0.2',
    sourceAddress: out ? '10.0.0.2' : '10.0.0.1',
    destinationPort: out ? 40_000 : 9000,
    sourcePort: out ? 9000 : 40_000,
  });
  const frame = new Uint8Array(template.headerLen + 25);
  template.write(new DataView(frame.buffer), 0, 25);
  return frame;
}

/** Sends the same frames over and over, every fourth in two pieces, and takes what arrives. */
class End {
  readonly #port: Port;
  readonly #views: readonly DataView[];
  readonly #frame: DataView;
  readonly #burst = new Burst(BURST);
  readonly #chained: boolean;

  constructor(port: Port, out: boolean, chained: boolean) {
    this.#port = port;
    this.#views = port.regions.map(({ view }) => view);
    this.#frame = new DataView(frameOf(out).buffer);
    this.#chained = chained;
  }

  send(): void {
    const burst = this.#burst;
    this.#port.alloc(burst, BURST);
    const len = this.#frame.byteLength;
    for (let i = 0; i < burst.count; i++) {
      const view = this.#views[burst.region[i]!]!;
      const second = this.#chained && (i & 1) === 1;
      const from = second ? 50 : 0;
      const to = this.#chained && !second ? 50 : len;
      for (let at = from; at < to; at++) view.setUint8(burst.addr[i]! + at - from, this.#frame.getUint8(at));
      burst.len[i] = to - from;
      burst.flags[i] = this.#chained && !second ? FrameFlags.continues : 0;
    }
    burst.dropPrefix(this.#port.tx(burst));
  }

  take(): number {
    const burst = this.#burst;
    const count = this.#port.rx(burst);
    this.#port.recycle(burst);
    return count;
  }
}

/** An interface, two applications, and a gateway between them. */
class Wire {
  readonly #wire: End;
  readonly #app: End;
  readonly #gateway: Gateway;

  constructor(chained: boolean) {
    const [wire, from] = LoopPort.pair();
    const [first, app] = LoopPort.pair();
    const [second] = LoopPort.pair();
    this.#wire = new End(wire, false, chained);
    this.#app = new End(app, true, chained);
    this.#gateway = new Gateway(
      from,
      [
        { port: first, flows: [{ port: 9000 }] },
        { port: second, flows: [{ port: 9001 }] },
      ],
      { burst: BURST, addresses: [Uint8Array.of(10, 0, 0, 2)] },
    );
  }

  /** @returns frames that arrived at either end */
  pass(): number {
    this.#wire.send();
    this.#app.send();
    this.#gateway.poll(BURST);
    return this.#wire.take() + this.#app.take();
  }
}

const single = new Wire(false);
const chained = new Wire(true);

const cases: AllocationCase[] = [
  {
    name: 'a gateway, both ways, frames whole and in two pieces',
    covers: [
      'Gateway.poll',
      'FlowTable.find',
      'FrameFlow.read',
      'lastPiece',
      'frameLen',
      'FrameCopy.lenOf',
      'FrameCopy.piecesOf',
      'FrameCopy.copy',
      'Outlet.take',
      'Outlet.send',
    ],
    run(count: number): void {
      for (let done = 0; done < count; done += 2 * BURST) {
        if (single.pass() + chained.pass() !== 3 * BURST) throw new Error('frames were lost');
      }
    },
  },
];
export default cases;
