import { siblingUrl } from '../../src/lane/index.ts';
import type { DemoNetwork } from '../../src/order/demo/demoNetwork.ts';
import { allowedCores } from '../../src/sys/index.ts';
import { Isolate } from '../harness/isolate.ts';
import type { Injected, InjectorEnd, InjectorTask } from './rxInjector.ts';

/** UDP destination port of injected orders. */
export const INJECTED_UDP_PORT = 9000;

/** Starts the order injector at the sender's end of a network, on the first core. */
export function startInjector({ sender, receiver }: DemoNetwork): Isolate<InjectorTask, Injected> {
  const end: InjectorEnd = {
    netns: sender.namespace.path,
    interface: sender.interface,
    address: sender.address,
    peerAddress: receiver.address,
    udpPort: INJECTED_UDP_PORT,
    core: allowedCores()[0]!,
  };
  return new Isolate(siblingUrl(import.meta.url, './rxInjector'), end);
}
