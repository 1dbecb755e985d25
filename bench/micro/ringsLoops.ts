/**
 * The loops of the `rings` case: a ring full of frames, taken in bursts by a plain loop.
 */
import type { Pollable } from '../../src/core/index.ts';
import { L2Forward, RxDrop, TxOnly } from '../../src/lane/index.ts';
import { serve } from '../harness/isolate.ts';
import { pinToMeasuringCore } from '../harness/measuringCore.ts';
import { timeSlices } from '../harness/timeSlices.ts';
import { RING_SIZE, RingPort } from './ringPort.ts';

/** What to measure, and for how long. */
export interface RingsTask {
  readonly loop: 'rxdrop' | 'l2fwd' | 'txonly';
  readonly burst: number;
  readonly seconds: number;
}

const FRAME_LEN = 60;
const frame = Uint8Array.from({ length: FRAME_LEN }, (_, i) => i + 1);

/** A port, a loop on it, and the kernel's part, which is not timed. */
class Bench {
  readonly #port = new RingPort();
  readonly #loop: Pollable;
  readonly #receives: boolean;
  readonly #polls: number;
  #moved = 0;
  #wanted = 0;

  constructor({ loop, burst }: RingsTask) {
    const port = this.#port;
    const { bytes } = port.regions[0]!;
    for (let at = 256; at < bytes.length; at += port.umem.chunkLen) bytes.set(frame, at);
    this.#receives = loop !== 'txonly';
    this.#polls = RING_SIZE / burst;
    if (loop === 'rxdrop') this.#loop = new RxDrop(port, { burst });
    else if (loop === 'l2fwd') this.#loop = new L2Forward(port, port, { burst });
    else this.#loop = new TxOnly(port, frame, { burst });
  }

  /** @returns time that a frame takes on our side [ns] */
  measure(seconds: number): number {
    const ns = timeSlices(
      seconds,
      RING_SIZE,
      () => {
        for (let i = 0; i < this.#polls; i++) this.#moved += this.#loop.poll(64);
      },
      () => {
        this.#port.kernel.send();
        if (this.#receives) this.#port.kernel.receive(FRAME_LEN);
        this.#wanted += RING_SIZE;
      },
    );
    if (this.#moved !== this.#wanted)
      throw new Error(`Cannot trust the figure: ${this.#wanted - this.#moved} frames missing`);
    return ns;
  }
}

const benches = new Map<string, Bench>();

pinToMeasuringCore();
serve((task: RingsTask): number => {
  const key = `${task.loop} ${task.burst}`;
  const bench = benches.get(key) ?? new Bench(task);
  benches.set(key, bench);
  return bench.measure(task.seconds);
});
