import { siblingUrl } from '../../src/lane/index.ts';
import { buildLoopFrame } from '../../src/lane/loops/loopFrame.ts';
import { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores, link, type NetworkNamespace, setOffloads, withNetns } from '../../src/sys/index.ts';
import { Isolate } from '../harness/isolate.ts';
import type { FloodEnd, Flooded, FloodTask } from './floodEnd.ts';

/** UDP destination port of frames that go to a loop; what a loop sends goes to the same. */
export const LOOP_UDP_PORT = 9;

/** Of a veth pair that nobody has told otherwise. [bytes] */
const MTU = 1500;

/** A veth pair for a loop at one end, and at the other a flood that comes and a drain for what is sent back. */
export class LoopNetwork implements AsyncDisposable {
  /** where the loop is to run */
  readonly namespace: NetworkNamespace;
  readonly interface: string;
  /** where a loop that only sends should send to */
  readonly farMac: string;
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
    this.farMac = far;
    const end: FloodEnd = {
      netns: sender.namespace.path,
      interface: sender.interface,
      core: allowedCores()[0]!,
      frame: buildLoopFrame({
        ...{ destinationMac: near, sourceMac: far, udpPort: LOOP_UDP_PORT, frameLen },
        mtu: MTU,
      }),
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
