import { siblingUrl } from '../../src/lane/index.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores, link, type NetworkNamespace, setOffloads, withNetns } from '../../src/sys/index.ts';
import { UdpFrameTemplate } from '../../src/wire/index.ts';
import { Isolate } from '../harness/isolate.ts';
import type { FloodEnd, Flooded, FloodTask } from './floodEnd.ts';

/** UDP destination port of frames that go to a loop; what a loop sends goes to the same. */
export const LOOP_UDP_PORT = 9;

/** Addresses that are nobody's, for documentation. @source RFC 5737 */
const NOBODY = { sourceAddress: '192.0.2.1', destinationAddress: '192.0.2.2' } as const;

/** Builds a UDP frame of `len` bytes, FCS not counted. */
export function buildFrame(
  destinationMac: string,
  sourceMac: string,
  udpPort: number,
  len: number,
): Uint8Array {
  const ports = { sourcePort: udpPort, destinationPort: udpPort };
  const template = new UdpFrameTemplate({ destinationMac, sourceMac, ...NOBODY, ...ports });
  const shortest = template.headerLen;
  if (!Number.isInteger(len) || len < shortest || len > 1514) {
    throw new RangeError(`Cannot build a frame of ${len} bytes: wanted ${shortest} to 1514`);
  }
  const frame = new Uint8Array(len);
  template.write(new DataView(frame.buffer), 0, len - shortest);
  return frame;
}

/** A veth pair for a loop at one end, and at the other a flood that comes and a drain for what is sent back. */
export class LoopNetwork implements AsyncDisposable {
  /** where the loop is to run */
  readonly namespace: NetworkNamespace;
  readonly interface: string;
  /** what a loop that only sends should send */
  readonly frame: Uint8Array;
  readonly #network = new DemoNetwork();
  readonly #flood: Isolate<FloodTask, Flooded>;

  /** @param frameLen - of the frames in both directions, FCS not counted [bytes] @throws RangeError, SystemError EPERM */
  constructor(frameLen: number) {
    const { sender, receiver } = this.#network;
    const macOf = ({ namespace, interface: name }: typeof sender): string =>
      withNetns(namespace, () => link(name).mac!);
    const [far, near] = [macOf(sender), macOf(receiver)];
    // So that this end takes the kernel's frames even when its program runs in generic mode.
    withNetns(receiver.namespace, () => setOffloads(receiver.interface, { gro: true }));
    this.namespace = receiver.namespace;
    this.interface = receiver.interface;
    this.frame = buildFrame(far, near, LOOP_UDP_PORT, frameLen);
    const end: FloodEnd = {
      netns: sender.namespace.path,
      interface: sender.interface,
      core: allowedCores()[0]!,
      frame: buildFrame(near, far, LOOP_UDP_PORT, frameLen),
    };
    this.#flood = new Isolate(siblingUrl(import.meta.url, './floodEnd'), end);
  }

  /** Floods the loop for so long, 0 to see that the far end is up. */
  flood(seconds: number): Promise<Flooded> {
    return this.#flood.ask({ seconds });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flood[Symbol.asyncDispose]();
    this.#network.close();
  }
}
