/**
 * The far end of the `rx` case: a worker in the sender's namespace, on a core of its own, that injects orders.
 */
import { workerData } from 'node:worker_threads';
import { link, NetworkNamespace, neighbours, pinThread } from '../../src/sys/index.ts';
import { serve } from '../harness/isolate.ts';
import { OrderInjector } from './orderInjector.ts';

/** Where the injector lives. */
export interface InjectorEnd {
  readonly netns: string;
  readonly interface: string;
  readonly address: string;
  readonly peerAddress: string;
  readonly udpPort: number;
  readonly core: number;
}

/** What to inject: at a rate, or as fast as the kernel can. */
export interface InjectorTask {
  readonly seconds: number;
  /** [orders per second]; undefined for as fast as it goes */
  readonly rate: number | undefined;
}

/** What was injected. */
export interface Injected {
  readonly orders: number;
  readonly ns: number;
}

/** Orders per second that no veth pair here carries. */
const FASTEST = 1.5e6;

const end = workerData as InjectorEnd;
{
  using namespace = NetworkNamespace.open(end.netns);
  namespace.enter();
}
pinThread(end.core);
const own = link(end.interface);
const peer = neighbours(end.interface).find(({ address }) => address === end.peerAddress);

// One for all tasks: the ids of its orders go on counting.
const injector = new OrderInjector(
  {
    sourceMac: own.mac!,
    destinationMac: peer!.mac!,
    sourceAddress: end.address,
    destinationAddress: end.peerAddress,
    sourcePort: 9001,
    destinationPort: end.udpPort,
  },
  own.index,
);

serve(({ seconds, rate }: InjectorTask): Injected => {
  // As fast as it goes, a second is worth so many orders at most; the rate that counts is measured.
  const orders = Math.round((rate ?? FASTEST) * seconds);
  return { orders, ns: injector.inject(orders, rate === undefined ? 0 : 1e9 / rate) };
});
