import { Burst } from '../../core/index.ts';
import type { Port } from '../../port/index.ts';
import { DEFAULT_BURST, type PortLoop, type PortLoopSpec } from './portLoop.ts';

/** Receives and forgets: how fast can frames come in at all? The port counts them. */
export class RxDrop implements PortLoop {
  readonly fds: readonly number[];
  readonly #port: Port;
  readonly #burst: Burst;

  /** @throws RangeError when the burst is none */
  constructor(port: Port, spec: PortLoopSpec = {}) {
    this.fds = port.fds;
    this.#port = port;
    this.#burst = new Burst(spec.burst ?? DEFAULT_BURST);
  }

  /** Receives a burst and gives its chunks back. @returns descriptors @throws SystemError once the interface is gone @hot */
  poll(_budget: number): number {
    const port = this.#port;
    const burst = this.#burst;
    const count = port.rx(burst);
    if (count > 0) port.recycle(burst);
    return count;
  }

  /** Asks the port. @throws SystemError once the interface is gone */
  arm(): boolean {
    return this.#port.arm();
  }

  /** None: that frames are forgotten is what it is for. */
  drops(): Record<string, number> {
    return {};
  }
}
