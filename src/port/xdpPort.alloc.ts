import { testVeth, type VethEnd } from '../../test/support/vethPair.ts';
import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { missingCapabilities, withNetns } from '../sys/index.ts';
import { UdpFrameTemplate } from '../wire/index.ts';
import { XdpPort } from './xdpPort.ts';

const UDP_PORT = 9000;
const PAYLOAD_LEN = 25;
/** A frame that has not come after so many looks is lost: some milliseconds at least. */
const MAX_LOOKS = 1_000_000;

/**
 * Two ports, one on a single nicQueue and one on two, so that both ways through a port are taken.
 *
 * Wired by the kernel, which takes most of the time: an operation sends a frame or two, and makes each call that a lane
 * makes once a burst.
 */
class Wire {
  readonly #one: XdpPort;
  readonly #two: XdpPort;
  readonly #template: UdpFrameTemplate;
  readonly #out = new Burst(64);
  readonly #in = new Burst(64);

  constructor() {
    const veth = testVeth({ queues: 2 });
    const flows = [{ port: UDP_PORT }];
    const open = ({ namespace, name }: VethEnd, queues: 'all' | readonly number[]): XdpPort =>
      withNetns(namespace, () => new XdpPort({ interface: name, flows, queues }));
    this.#one = open(veth.a, [0]);
    this.#two = open(veth.b, 'all');
    this.#template = new UdpFrameTemplate({
      destinationMac: veth.b.mac,
      sourceMac: veth.a.mac,
      destinationAddress: veth.b.address,
      sourceAddress: veth.a.address,
      destinationPort: UDP_PORT,
      sourcePort: UDP_PORT,
    });
  }

  /** Sends a frame there and, in the chunk in which it arrived, back. */
  echo(): void {
    this.#send();
    const burst = this.#in;
    receive(this.#two, burst);
    burst.dropPrefix(this.#two.tx(burst));
    this.#two.flush();
    receive(this.#one, burst);
    this.#one.recycle(burst);
  }

  /** Sends a frame there. */
  drop(): void {
    this.#send();
    receive(this.#two, this.#in);
    this.#two.recycle(this.#in);
  }

  #send(): void {
    const port = this.#one;
    const out = this.#out;
    if (port.alloc(out, 1) !== 1) throw new Error('no chunk came back');
    out.len[0] = this.#template.write(port.regions[0]!.view, out.addr[0]!, PAYLOAD_LEN);
    out.dropPrefix(port.tx(out));
    port.flush();
  }
}

/** Receives the one frame that is on its way. */
function receive(port: XdpPort, burst: Burst): void {
  for (let looks = 0; port.rx(burst) !== 1; looks++) {
    if (looks === MAX_LOOKS) throw new Error('a frame was lost');
  }
}

const missing = missingCapabilities(['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF']);
const wire = missing.length === 0 ? new Wire() : undefined;

const port = ['rx', 'alloc', 'tx', 'flush', 'recycle'].map((name) => `XdpPort.${name}`);
const rings = ['rx', 'recycle', 'recycleRange', 'alloc', 'tx', 'txRange', 'reap'].map(
  (name) => `xdp/FrameRings.${name}`,
);
const socket = ['rx', 'flush'].map((name) => `xdp/XdpSocket.${name}`);

const cases: AllocationCase[] = [
  {
    name: 'frames over veth, echoed and dropped',
    covers: [...port, ...rings, ...socket, 'ffi/sendtoPtr'],
    framesPerOperation: 64,
    skip: missing.length === 0 ? undefined : `needs ${missing.join(', ')}`,
    run(count: number): void {
      for (let i = 0; i < count; i++) {
        wire!.echo();
        if ((i & 3) === 0) wire!.drop();
      }
    },
  },
];
export default cases;
