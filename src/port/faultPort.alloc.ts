import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import { FaultPort } from './faultPort.ts';
import type { FaultSpec } from './faultSpec.ts';
import { LoopPort } from './loopPort.ts';
import type { Port } from './port.ts';
import { WrappedPort } from './wrappedPort.ts';

const BURST = 32;
const FRAME_LEN = 60;

const everything: FaultSpec = {
  loss: 0.05,
  duplicate: 0.05,
  reorder: 0.1,
  corrupt: 0.05,
  delayNs: 1,
  seed: 7,
};

/** Frames there through faults on both ends, a chain among them, and some looks at an empty wire. */
class Wire {
  readonly #near: Port;
  readonly #far: Port;
  readonly #out = new Burst(BURST);
  readonly #in = new Burst(BURST);

  constructor(wrap: (port: Port) => Port) {
    const [a, b] = LoopPort.pair({ ringSize: 64 });
    this.#near = wrap(a);
    this.#far = wrap(b);
  }

  run(count: number): void {
    const near = this.#near;
    const far = this.#far;
    const out = this.#out;
    for (let sent = 0; sent < count; ) {
      const n = near.alloc(out, BURST - out.count);
      for (let i = out.count - n; i < out.count; i++) out.len[i] = FRAME_LEN;
      if (out.count > 1) out.flags[0] = FrameFlags.continues;
      const accepted = near.tx(out);
      sent += accepted;
      out.dropPrefix(accepted);
      near.recycle(out);
      near.flush();
      for (let calls = 0; calls < 4; calls++) {
        far.rx(this.#in);
        far.recycle(this.#in);
      }
    }
  }
}

const faulty = new Wire((port) => new FaultPort(port, everything));
const faultless = new Wire((port) => new FaultPort(port, {}));
const plain = new Wire((port) => new WrappedPort(port));

const methods = ['rx', 'tx', 'flush'].map((name) => `FaultPort.${name}`);
const wrapped = ['rx', 'alloc', 'tx', 'flush', 'recycle'].map((name) => `WrappedPort.${name}`);
const line = ['hasRoom', 'admit', 'copyDue', 'release'].map((name) => `FaultLine.${name}`);

const cases: AllocationCase[] = [
  {
    name: 'frames through every fault',
    covers: [...methods, ...line, 'FaultRandom.next', 'FaultRandom.below'],
    run: (count: number) => faulty.run(count),
  },
  {
    name: 'frames through no fault',
    covers: methods,
    run: (count: number) => faultless.run(count),
  },
  {
    name: 'frames through a wrapper that does nothing',
    covers: wrapped,
    run: (count: number) => plain.run(count),
  },
];
export default cases;
