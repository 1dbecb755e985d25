import type { AllocationCase } from '../../../tools/allocationCase.ts';
import { Burst } from '../../core/index.ts';
import { LoopPort } from '../../port/index.ts';
import { UdpFrameTemplate } from '../../wire/index.ts';
import { L2Forward, type PortLoop, RxDrop, TxOnly, UdpEcho } from './index.ts';

const BURST = 64;

const template = new UdpFrameTemplate({
  destinationMac: '02:00:00:00:00:02',
  sourceMac: '02:00:00:00:00:01',
  destinationAddress: '192.0.2.2',
  sourceAddress: '192.0.2.1',
  destinationPort: 9000,
  sourcePort: 40_000,
});
const frame = new Uint8Array(template.headerLen + 19);
template.write(new DataView(frame.buffer), 0, 19);

/** A sender, a loop, and who receives what the loop sends. */
class Wire {
  readonly #source: TxOnly;
  readonly #loop: PortLoop;
  readonly #end: LoopPort;
  readonly #burst = new Burst(BURST);

  constructor(loopOf: (near: LoopPort, next: LoopPort) => PortLoop) {
    const [source, near] = LoopPort.pair();
    const [next, end] = LoopPort.pair();
    const loop = loopOf(near, next);
    this.#source = new TxOnly(source, frame, { burst: BURST });
    this.#loop = loop;
    this.#end = loop instanceof L2Forward && loop.copies ? end : source;
  }

  /** @returns frames that arrived at the end */
  pass(): number {
    this.#source.poll(BURST);
    this.#loop.poll(BURST);
    const burst = this.#burst;
    const count = this.#end.rx(burst);
    this.#end.recycle(burst);
    return count;
  }
}

const drop = new Wire((near) => new RxDrop(near));
const forward = new Wire((near) => new L2Forward(near));
const copy = new Wire((near, next) => new L2Forward(near, next));
const echo = new Wire((near) => new UdpEcho(near));

const cases: AllocationCase[] = [
  {
    name: 'the plain loops, over loop ports',
    covers: [
      'RxDrop.poll',
      'TxOnly.poll',
      'L2Forward.poll',
      'UdpEcho.poll',
      'sendOrDrop',
      'maxFrameLen',
      'swapMacs',
      'copyFrames',
      'core/copyBytes',
    ],
    run(count: number): void {
      for (let done = 0; done < count; done += BURST) {
        if (drop.pass() !== 0) throw new Error('a dropped frame came back');
        const arrived = forward.pass() + copy.pass() + echo.pass();
        if (arrived !== 3 * BURST) throw new Error('frames were lost');
      }
    },
  },
];
export default cases;
