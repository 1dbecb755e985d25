import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { missingCapabilities, NetworkNamespace, withNetns } from '../sys/index.ts';
import { TapPort } from './tapPort.ts';

const KERNEL = [10, 9, 0, 2];
const OURS = [10, 9, 0, 1];
/** Ethernet, IPv4 and ICMP headers, and 8 bytes. */
const FRAME_LEN = 50;
const ICMP = 34;

/** A tap whose kernel answers: an echo request is sent, its reply received. */
class Pinger {
  readonly #port: TapPort;
  readonly #out = new Burst(4);
  readonly #in = new Burst(4);
  readonly #request = new Uint8Array(FRAME_LEN);

  constructor() {
    const namespace = NetworkNamespace.create();
    this.#port = withNetns(
      namespace,
      () => new TapPort({ addresses: [`${KERNEL.join('.')}/24`], neighbours: [OURS.join('.')] }),
    );
    const request = this.#request;
    request.set(this.#port.interface.kernelMac, 0);
    request.set(this.#port.mac, 6);
    request.set([0x08, 0x00, 0x45, 0, 0, FRAME_LEN - 14, 0, 0, 0, 0, 64, 1], 12);
    request.set([...OURS, ...KERNEL], 26);
    request.set([8, 0], ICMP);
    this.#setChecksum(24, 14, ICMP);
    this.#setChecksum(ICMP + 2, ICMP, FRAME_LEN);
  }

  /** Sends a request and receives its reply, or anything else that the kernel has to say, by the calls of a lane. */
  ping(): void {
    const port = this.#port;
    const out = this.#out;
    if (port.alloc(out, 1) !== 1) throw new Error('no chunk came back');
    port.regions[0]!.bytes.set(this.#request, out.addr[0]!);
    out.len[0] = FRAME_LEN;
    if (port.tx(out) !== 1) throw new Error('a frame was refused');
    out.clear();
    port.flush();
    let count = port.rx(this.#in);
    for (let looks = 0; count === 0; looks++) {
      if (looks === 1_000_000) throw new Error('an echo was lost');
      count = port.rx(this.#in);
    }
    port.recycle(this.#in);
  }

  #setChecksum(at: number, from: number, to: number): void {
    const view = new DataView(this.#request.buffer);
    let sum = 0;
    for (let i = from; i < to; i += 2) sum += view.getUint16(i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(at, ~sum & 0xffff);
  }
}

const missing = missingCapabilities(['CAP_SYS_ADMIN', 'CAP_NET_ADMIN']);
const pinger = missing.length === 0 ? new Pinger() : undefined;

const names = ['rx', 'alloc', 'tx', 'flush', 'recycle'];
const file = names.filter((name) => name !== 'flush').map((name) => `tap/FrameFile.${name}`);

const cases: AllocationCase[] = [
  {
    name: 'echo requests to the kernel behind a tap',
    covers: [...names.map((name) => `TapPort.${name}`), ...file, 'ffi/readvPtr', 'ffi/writevPtr'],
    framesPerOperation: 64,
    skip: missing.length === 0 ? undefined : `needs ${missing.join(', ')}`,
    run(count: number): void {
      for (let i = 0; i < count; i++) pinger!.ping();
    },
  },
];
export default cases;
