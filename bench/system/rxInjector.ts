/**
 * The far end of the `rx` case: a worker at the sender's end of a wire, on a core of its own, that injects orders.
 */
import { workerData } from 'node:worker_threads';
import { link, NetworkNamespace, pinThread } from '../../src/sys/index.ts';
import type { UdpFrameSpec } from '../../src/wire/index.ts';
import { serve } from '../harness/isolate.ts';
import { OrderInjector } from './orderInjector.ts';
import { PortInjector } from './portInjector.ts';

/** Where the injector lives. */
export interface InjectorEnd {
  /** of the port to send through, where no interface of the kernel reaches the wire */
  readonly via: string;
  readonly netns: string | undefined;
  readonly interface: string | undefined;
  readonly mac: string;
  readonly address: string;
  readonly peerMac: string;
  readonly peerAddress: string;
  readonly udpPort: number;
  readonly core: number;
}

/** What to inject: at a rate, or as fast as it goes. */
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

/** More orders per second than a veth pair here carries. */
const FASTEST = 1.5e6;

const end = workerData as InjectorEnd;
if (end.netns !== undefined) {
  using namespace = NetworkNamespace.open(end.netns);
  namespace.enter();
}
pinThread(end.core);

const ends: UdpFrameSpec = {
  sourceMac: end.mac,
  destinationMac: end.peerMac,
  sourceAddress: end.address,
  destinationAddress: end.peerAddress,
  sourcePort: 9001,
  destinationPort: end.udpPort,
};
// One for all tasks: the ids of its orders go on counting.
const injector =
  end.interface === undefined
    ? new PortInjector(end.via, ends)
    : new OrderInjector(ends, link(end.interface).index);

serve(async ({ seconds, rate }: InjectorTask): Promise<Injected> => {
  // As fast as it goes, a second is worth so many orders at most; the rate that counts is measured.
  const orders = Math.round((rate ?? FASTEST) * seconds);
  return { orders, ns: await injector.inject(orders, rate === undefined ? 0 : 1e9 / rate) };
});
