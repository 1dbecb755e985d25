import { RingsInMemory } from '../../test/support/packetKernel.ts';
import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { packetLayout } from './layout.ts';

const FRAME_LEN = 60;
const LONG_FRAME_LEN = 600;

/** Frames received and given back, received and sent back, and sent, through rings in plain memory. */
class Wire {
  readonly #rings = new RingsInMemory(packetLayout(1500));
  readonly #in = new Burst(64);
  readonly #out = new Burst(64);

  constructor() {
    this.#rings.kernel.keep = false;
  }

  drop(): void {
    const rings = this.#rings;
    rings.kernel.receive(FRAME_LEN);
    if (rings.rx(this.#in) !== 1) throw new Error('a frame was lost');
    rings.recycle(this.#in);
  }

  echo(): void {
    const rings = this.#rings;
    rings.kernel.receive(LONG_FRAME_LEN);
    if (rings.rx(this.#in) !== 1) throw new Error('a frame was lost');
    this.#in.dropPrefix(rings.tx(this.#in));
    rings.flush();
  }

  send(): void {
    const rings = this.#rings;
    const out = this.#out;
    if (rings.alloc(out, 1) !== 1) throw new Error('no chunk came back');
    out.len[0] = FRAME_LEN;
    out.dropPrefix(rings.tx(out));
    rings.flush();
    if (rings.queued > 0) throw new Error('a frame was not sent');
  }
}

const wire = new Wire();

const cases: AllocationCase[] = [
  {
    name: 'frames received, sent back and sent, through rings in plain memory',
    covers: ['rx', 'recycle', 'alloc', 'tx', 'settle'].map((name) => `PacketRings.${name}`),
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        wire.drop();
        wire.send();
        if ((i & 3) === 0) wire.echo();
      }
    },
  },
];
export default cases;
