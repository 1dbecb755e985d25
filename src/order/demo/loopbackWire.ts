import type { PortSpec } from '../../port/index.ts';
import { LOOPBACK_PATH, type Wire, type WireEnd, type WireOptions } from './wire.ts';
import { endSpec } from './wireSpec.ts';

/** Takes this host's loopback for sockets of the kernel, as a user without privileges can. */
export function loopbackWire(spec: PortSpec, _options: WireOptions): Wire {
  const { address } = LOOPBACK_PATH;
  const end = (via: string | undefined): WireEnd => ({
    via,
    netns: undefined,
    interface: 'lo',
    address,
    mac: undefined,
  });
  return {
    receiver: end(endSpec(spec, address, {}, spec.options)),
    sender: end(undefined),
    // Any free one: another demo may run on this loopback.
    udpPort: 0,
    kernelPath: { ...LOOPBACK_PATH, isLoopback: false },
    [Symbol.dispose]: () => {},
  };
}
