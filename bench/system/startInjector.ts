import { siblingUrl } from '../../src/lane/index.ts';
import type { Wire } from '../../src/order/demo/wire.ts';
import { allowedCores, NetworkNamespace, setOffloads, withNetns } from '../../src/sys/index.ts';
import { Isolate } from '../harness/isolate.ts';
import type { Injected, InjectorEnd, InjectorTask } from './rxInjector.ts';

/** Ports that an injector can reach. */
export const INJECTED_VIAS: readonly string[] = ['xdp', 'packet', 'memif'];

/** Starts the order injector at the sender's end of a wire, on the first core. */
export function startInjector({ sender, receiver, udpPort }: Wire): Isolate<InjectorTask, Injected> {
  if (receiver.interface !== undefined) takeInjected(receiver.netns!, receiver.interface);
  const end: InjectorEnd = {
    ...{ via: sender.via!, netns: sender.netns, interface: sender.interface, udpPort },
    ...{ mac: sender.mac!, address: sender.address },
    ...{ peerMac: receiver.mac!, peerAddress: receiver.address },
    core: allowedCores()[0]!,
  };
  return new Isolate(siblingUrl(import.meta.url, './rxInjector'), end);
}

/** Has a veth take frames that the kernel injects at its far end also where no XDP program waits for them. */
function takeInjected(netns: string, name: string): void {
  using namespace = NetworkNamespace.open(netns);
  withNetns(namespace, () => setOffloads(name, { gro: true }));
}
