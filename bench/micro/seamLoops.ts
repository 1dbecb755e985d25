/**
 * The loops of the `seam` case: bursts through a memif client in this thread, called as a Port or as what is behind it.
 */
import { isMainThread } from 'node:worker_threads';
import { Burst } from '../../src/core/index.ts';
import { MemifPort, type Port } from '../../src/port/index.ts';
import { serve } from '../harness/isolate.ts';
import { pinToMeasuringCore } from '../harness/measuringCore.ts';
import { timeSlices } from '../harness/timeSlices.ts';

/** What is timed: bursts received and recycled, or allocated and sent. */
export const seamLoops = ['rx', 'tx'] as const;

/** What to measure, and for how long. */
export interface SeamTask {
  readonly loop: (typeof seamLoops)[number];
  readonly way: 'port' | 'direct';
  readonly seconds: number;
}

/** What both ways to call have in common. */
type Calls = Pick<Port, 'rx' | 'alloc' | 'tx' | 'flush' | 'recycle'>;

const RING = 1024;
const BURST = 64;
const FRAME_LEN = 60;

class Bench {
  readonly #server: MemifPort;
  readonly #calls: Calls;
  readonly #burst = new Burst(BURST);
  readonly #other = new Burst(BURST);
  #moved = 0;

  constructor(way: SeamTask['way']) {
    const path = `@barewire-seam-${process.pid}-${way}`;
    this.#server = new MemifPort({ path, role: 'server', ringSize: RING });
    const client = new MemifPort({ path, ringSize: RING });
    while (!(this.#server.interface.connected && client.interface.connected)) {
      this.#server.rx(this.#burst);
      client.rx(this.#burst);
    }
    this.#calls = way === 'port' ? client : client.interface;
  }

  /** @returns time of a packet [ns] */
  measure(loop: SeamTask['loop'], seconds: number): number {
    this.#moved = 0;
    let slices = 0;
    const slice = loop === 'rx' ? () => this.#receive() : () => this.#send();
    const prepare = loop === 'rx' ? () => this.#feed() : () => this.#drain();
    const ns = timeSlices(seconds, RING, slice, () => {
      prepare();
      slices++;
    });
    if (this.#moved !== slices * RING)
      throw new Error(`Cannot trust the figure: ${this.#moved} frames in ${slices} rings`);
    return ns;
  }

  #receive(): void {
    for (let i = 0; i < RING / BURST; i++) {
      this.#moved += this.#calls.rx(this.#burst);
      this.#calls.recycle(this.#burst);
    }
  }

  #send(): void {
    const burst = this.#burst;
    for (let i = 0; i < RING / BURST; i++) {
      this.#calls.alloc(burst, BURST);
      for (let k = 0; k < BURST; k++) burst.len[k] = FRAME_LEN;
      const sent = this.#calls.tx(burst);
      this.#moved += sent;
      burst.dropPrefix(sent);
      this.#calls.flush();
    }
  }

  /** The server's part: fills the ring. */
  #feed(): void {
    for (let i = 0; i < RING / BURST; i++) {
      this.#server.alloc(this.#other, BURST);
      this.#other.len.fill(FRAME_LEN);
      this.#other.dropPrefix(this.#server.tx(this.#other));
      this.#server.recycle(this.#other);
    }
  }

  /** The server's part: empties the ring. */
  #drain(): void {
    while (this.#server.rx(this.#other) > 0) this.#server.recycle(this.#other);
  }
}

if (!isMainThread) {
  const benches = new Map<string, Bench>();
  pinToMeasuringCore();
  serve(({ loop, way, seconds }: SeamTask): number => {
    const bench = benches.get(way) ?? new Bench(way);
    benches.set(way, bench);
    return bench.measure(loop, seconds);
  });
}
