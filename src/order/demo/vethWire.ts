import type { PortSpec } from '../../port/index.ts';
import { link, withNetns } from '../../sys/index.ts';
import { type DemoHost, DemoNetwork } from './demoNetwork.ts';
import { ORDER_UDP_PORT, type Wire, type WireEnd, type WireOptions } from './wire.ts';
import { endSpec, senderOptions } from './wireSpec.ts';

/** Makes two hosts with a veth pair, for ports on interfaces. @throws SystemError EPERM without root's capabilities */
export function vethWire(spec: PortSpec, { rxRing }: WireOptions): Wire {
  const network = new DemoNetwork();
  const { receiver, sender } = network;
  const room: Record<string, number> = rxRing === undefined ? {} : { rx: rxRing };
  const end = (host: DemoHost, via: string): WireEnd => ({
    via,
    netns: host.namespace.path,
    interface: host.interface,
    address: host.address,
    mac: withNetns(host.namespace, () => link(host.interface).mac),
  });
  try {
    return {
      receiver: end(receiver, endSpec(spec, receiver.interface, room, spec.options)),
      sender: end(sender, endSpec(spec, sender.interface, {}, senderOptions(spec))),
      udpPort: ORDER_UDP_PORT,
      kernelPath: {
        address: receiver.address,
        receiverNetns: receiver.namespace.path,
        senderNetns: sender.namespace.path,
        isLoopback: false,
      },
      [Symbol.dispose]: () => network.close(),
    };
  } catch (error) {
    network.close();
    throw error;
  }
}
