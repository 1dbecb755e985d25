import { RingPort } from '../../test/support/ringPort.ts';
import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { stampByLane } from './rxMetadata.ts';
import { TxMetadata } from './txMetadata.ts';

/** Frames of metadata both ways, through rings in plain memory. */
class Wire {
  readonly #port: RingPort;
  readonly #metadata: TxMetadata;
  readonly #in = new Burst(64, { timestamps: true, hashes: true });
  readonly #out = new Burst(64);
  #waiting = 0;
  #sentNs = 0;

  constructor(softwareChecksums: boolean) {
    this.#port = new RingPort({
      metadata: 'hardware',
      keepCompletions: true,
      txMetadata: true,
      softwareChecksums,
    });
    this.#metadata = new TxMetadata(this.#port.umem);
    // What a flow program would have written before each frame, all of it valid.
    const { view, chunkLen, len } = this.#port.umem;
    for (let frame = 256; frame < len; frame += chunkLen) {
      for (let at = frame - 32; at < frame; at += 4) view.setUint32(at, 7, true);
    }
  }

  receive(): void {
    if (this.#waiting === 0) this.#waiting = this.#port.kernel.receive(60);
    this.#waiting -= this.#port.rx(this.#in);
    this.#port.recycle(this.#in);
    this.#port.refill();
  }

  send(): void {
    const port = this.#port;
    const out = this.#out;
    port.alloc(out, 1);
    out.len[0] = 60;
    this.#metadata.askTimestamp(out, 0);
    this.#metadata.askChecksum(out, 0, 34, 6);
    out.dropPrefix(port.tx(out));
    port.kernel.send();
    port.flush();
    if (port.completed(out) === 1) this.#sentNs = Math.max(this.#sentNs, this.#metadata.sentNs(out.addr[0]!));
    port.recycle(out);
  }
}

const wire = new Wire(false);
const software = new Wire(true);
const stamped = new Burst(1, { timestamps: true, hashes: true });
stamped.count = 1;

const cases: AllocationCase[] = [
  {
    name: 'metadata of frames received and sent',
    covers: [
      'xdp/RxMetadata.read',
      'xdp/FrameRings.completed',
      'xdp/FrameRings.refill',
      'xdp/Umem.putFrom',
      'xdp/Ring.needsWakeup',
      'xdp/TxMetadata.askTimestamp',
      'xdp/TxMetadata.askChecksum',
      'xdp/TxMetadata.sentNs',
    ],
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        wire.receive();
        wire.send();
      }
    },
  },
  {
    name: 'frames that the lane stamps',
    covers: ['xdp/stampByLane'],
    run(count: number): void {
      for (let i = 0; i < count; i++) stampByLane(stamped);
    },
  },
  {
    name: 'checksums of frames sent, in software',
    covers: ['xdp/finishChecksums'],
    run(count: number): void {
      for (let i = 0; i < count; i++) software.send();
    },
  },
];
export default cases;
