import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst, FrameFlags } from '../core/index.ts';
import { FaultPort } from './faultPort.ts';
import type { FaultSpec } from './faultSpec.ts';
import { LoopPort } from './loopPort.ts';

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
  readonly #near: FaultPort;
  readonly #far: FaultPort;
  readonly #out = new Burst(BURST);
  readonly #in = new Burst(BURST);

  constructor(spec: FaultSpec) {
    const [a, b] = LoopPort.pair({ ringSize: 64 });
    this.#near = new FaultPort(a, spec);
    this.#far = new FaultPort(b, spec);
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

const faulty = new Wire(everything);
const faultless = new Wire({});

const methods = ['rx', 'alloc', 'tx', 'flush', 'recycle'].map((name) => `FaultPort.${name}`);
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
];
export default cases;
