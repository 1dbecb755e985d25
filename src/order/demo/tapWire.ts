import type { PortSpec } from '../../port/index.ts';
import { NetworkNamespace } from '../../sys/index.ts';
import { LOOPBACK_PATH, ORDER_UDP_PORT, type Wire, type WireOptions } from './wire.ts';
import { endSpec } from './wireSpec.ts';

const INTERFACE = 'orders';
const KERNEL_ADDRESS = '10.77.0.1';
const OUR_ADDRESS = '10.77.0.2';
/** A fifth of a second at the demo's rate: on a busy host even a pinned thread may wait so long. [frames] */
const QUEUE_LEN = 10_000;

/**
 * Makes a namespace for a tap interface, which the receiver makes when it opens its end: the sender's kernel has the other.
 *
 * @throws SystemError EPERM without CAP_SYS_ADMIN
 */
export function tapWire(spec: PortSpec, _options: WireOptions): Wire {
  const namespace = NetworkNamespace.create();
  const netns = namespace.path;
  // Nobody at our end answers ARP: the kernel is told of us.
  const ours = {
    address: `${KERNEL_ADDRESS}/24`,
    neighbour: OUR_ADDRESS,
    txqueuelen: `${QUEUE_LEN}`,
  };
  return {
    receiver: {
      via: endSpec(spec, INTERFACE, ours, spec.options),
      netns,
      interface: undefined,
      address: OUR_ADDRESS,
      mac: undefined,
    },
    sender: { via: undefined, netns, interface: INTERFACE, address: KERNEL_ADDRESS, mac: undefined },
    udpPort: ORDER_UDP_PORT,
    kernelPath: LOOPBACK_PATH,
    [Symbol.dispose]: () => namespace.close(),
  };
}
