import { type Channels, channels, type DeviceRings, type Driver, deviceRings, driver } from './ethtool.ts';
import { type Feature, features } from './features.ts';
import { addresses, type Link, link } from './netlink/index.ts';

/** All that is known of an interface: what netlink tells ({@link Link}) and what ethtool tells. */
export interface InterfaceInfo extends Link {
  /** nicQueues that receive, numbered from 0: what an AF_XDP socket can bind to */
  readonly nicQueues: number;
  /** undefined when the driver tells none */
  readonly channels: Channels | undefined;
  /** undefined when the driver tells none */
  readonly deviceRings: DeviceRings | undefined;
  /** undefined for an interface without one, such as loopback */
  readonly driver: Driver | undefined;
  readonly features: ReadonlyMap<string, Feature>;
  /** `10.0.0.1/24`, `fe80::1/64` */
  readonly addresses: readonly string[];
}

/**
 * Returns what the kernel and the driver know of an interface of the calling thread's namespace.
 *
 * @throws SystemError ENODEV, with the names of those that are there, when it is missing
 */
export function interfaceInfo(name: string): InterfaceInfo {
  const found = link(name);
  const known = channels(name);
  return {
    ...found,
    nicQueues: known ? known.rx + known.combined : found.rxQueues,
    channels: known,
    deviceRings: deviceRings(name),
    driver: driver(name),
    features: features(name),
    addresses: addresses(name).map(({ address, prefixLen }) => `${address}/${prefixLen}`),
  };
}
