import { testVeth, type VethEnd } from '../../test/support/vethPair.ts';
import type { AllocationCase } from '../../tools/allocationCase.ts';
import { Burst } from '../core/index.ts';
import { missingCapabilities, withNetns } from '../sys/index.ts';
import { UdpFrameTemplate } from '../wire/index.ts';
import { PacketPort } from './packetPort.ts';

const UDP_PORT = 9000;
const PAYLOAD_LEN = 25;
/** A frame that has not come after so many looks is lost: some milliseconds at least. */
const MAX_LOOKS = 1_000_000;

/**
 * Two ports, wired by the kernel, which takes most of the time: an operation sends a frame there and, in the slot in
 * which it arrived, back.
 */
class Wire {
  readonly #one: PacketPort;
  readonly #two: PacketPort;
  readonly #template: UdpFrameTemplate;
  readonly #out = new Burst(64);
  readonly #in = new Burst(64);

  constructor() {
    const veth = testVeth();
    const flows = [{ version: 4, port: UDP_PORT, address: undefined }] as const;
    const open = ({ namespace, name }: VethEnd): PacketPort =>
      withNetns(namespace, () => new PacketPort({ interface: name, flows }));
    this.#one = open(veth.a);
    this.#two = open(veth.b);
    this.#template = new UdpFrameTemplate({
      destinationMac: veth.b.mac,
      sourceMac: veth.a.mac,
      destinationAddress: veth.b.address,
      sourceAddress: veth.a.address,
      destinationPort: UDP_PORT,
      sourcePort: UDP_PORT,
    });
  }

  echo(): void {
    const port = this.#one;
    const out = this.#out;
    if (port.alloc(out, 1) !== 1) throw new Error('no chunk came back');
    out.len[0] = this.#template.write(port.regions[0]!.view, out.addr[0]!, PAYLOAD_LEN);
    out.dropPrefix(port.tx(out));
    port.flush();
    const burst = this.#in;
    receive(this.#two, burst);
    burst.dropPrefix(this.#two.tx(burst));
    this.#two.flush();
    receive(port, burst);
    port.recycle(burst);
  }
}

/** Receives the one frame that is on its way. */
function receive(port: PacketPort, burst: Burst): void {
  for (let looks = 0; port.rx(burst) !== 1; looks++) {
    if (looks === MAX_LOOKS) throw new Error('a frame was lost');
  }
}

const missing = missingCapabilities(['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_NET_RAW']);
const wire = missing.length === 0 ? new Wire() : undefined;

const cases: AllocationCase[] = [
  {
    name: 'frames over veth, echoed',
    covers: [
      ...['rx', 'alloc', 'tx', 'flush', 'recycle'].map((name) => `PacketPort.${name}`),
      ...['rx', 'flush'].map((name) => `packet/PacketSocket.${name}`),
    ],
    framesPerOperation: 64,
    skip: missing.length === 0 ? undefined : `needs ${missing.join(', ')}`,
    run(count: number): void {
      for (let i = 0; i < count; i++) wire!.echo();
    },
  },
];
export default cases;
