import { OptionReader, type PortSpec } from './portSpec.ts';
import { TapPort } from './tapPort.ts';

/** Every option of a `tap:` spec, in the order in which an unknown one is answered. */
const OPTIONS = ['mtu', 'txqueuelen', 'up', 'address', 'neighbour', 'mac', 'chunks', 'debug'];

/**
 * Opens `tap:NAME?…`; docs/tap.md says what the options mean. Without a name the kernel gives one: `tap0`.
 *
 * @throws TypeError for an option that nobody knows
 */
export function openTapPort(spec: PortSpec): TapPort {
  const reader = new OptionReader(spec);
  const chosen = {
    interface: spec.target === '' ? undefined : spec.target,
    mtu: reader.integer('mtu'),
    txQueueLen: reader.integer('txqueuelen'),
    up: reader.flag('up'),
    addresses: reader.text('address')?.split(','),
    neighbours: reader.text('neighbour')?.split(','),
    mac: reader.text('mac'),
    chunkCount: reader.integer('chunks'),
    debug: reader.flag('debug'),
  };
  reader.end(OPTIONS);
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new TapPort(given, spec.text);
}
