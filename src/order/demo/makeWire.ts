import type { PortSpec } from '../../port/index.ts';
import { loopbackWire } from './loopbackWire.ts';
import { memifWire } from './memifWire.ts';
import { tapWire } from './tapWire.ts';
import { vethWire } from './vethWire.ts';
import type { Wire, WireOptions } from './wire.ts';
import { parseWireSpec } from './wireSpec.ts';

type MakeWire = (spec: PortSpec, options: WireOptions) => Wire;

/** Who makes a wire, by the scheme of the port at its receiver's end. */
const MAKERS: ReadonlyMap<string, MakeWire> = new Map<string, MakeWire>([
  ['xdp', vethWire],
  ['packet', vethWire],
  ['tap', tapWire],
  ['memif', memifWire],
  ['udp', loopbackWire],
]);

/** Why some ports have no wire, by scheme. */
const WIRELESS: ReadonlyMap<string, string> = new Map([
  ['loop', 'both ends of a loop are in one thread; memif is memory between two processes'],
  ['pcap', 'a capture has no sender'],
]);

/**
 * Makes a wire for the port that a spec names by its scheme: `xdp`, `packet:?rx=4096`, `tap`, `memif`, `udp`.
 *
 * - `xdp`, `packet`: two network namespaces and a veth pair between them
 * - `tap`: one namespace, whose kernel has the other end of the receiver's tap interface
 * - `memif`: shared memory and an abstract control socket; needs no privileges
 * - `udp`: this host's loopback
 *
 * What the spec says behind `?` is handed to the ports.
 *
 * @throws TypeError when the spec names something of the user's, or a port that has no wire
 * @throws SystemError EPERM without the capabilities that namespaces need
 */
export function makeWire(text: string, options: WireOptions = {}): Wire {
  const spec = parseWireSpec(text);
  const { scheme, target } = spec;
  const make = MAKERS.get(scheme);
  if (make === undefined) {
    const wanted = `want ${[...MAKERS.keys()].join(', ')}`;
    throw new TypeError(`Cannot make a wire for ${text}: ${WIRELESS.get(scheme) ?? wanted}`);
  }
  if (target !== '') {
    throw new TypeError(
      `Cannot make a wire for ${text}: ${target} is yours and stays untouched; ` +
        `give ${scheme} without a name, or take what arrives there with barewire receive --via ${text}`,
    );
  }
  return make(spec, options);
}
