import { addAddress, link, NetworkNamespace, setLink, withNetns } from '../../../src/sys/index.ts';
import type { TestVeth, VethEnd } from '../../support/vethPair.ts';

/**
 * Puts the ends of a wire between two interfaces of the machine into a namespace each, up and with addresses:
 * what {@link testVeth} makes, of hardware. Closing it takes the interfaces back.
 */
export function testWire(names: readonly [string, string] = ['eth0', 'eth1']): TestVeth {
  const home = NetworkNamespace.current();
  const ends = names.map((name, i): VethEnd => {
    const namespace = NetworkNamespace.create();
    const address = `10.9.0.${i + 1}`;
    setLink(name, { namespace });
    const mac = withNetns(namespace, () => {
      addAddress(name, `${address}/24`);
      setLink(name, { up: true });
      return link(name).mac!;
    });
    return { namespace, name, address, mac };
  });
  return {
    a: ends[0]!,
    b: ends[1]!,
    [Symbol.dispose]: () => {
      for (const { namespace, name } of ends) {
        withNetns(namespace, () => setLink(name, { namespace: home }));
        namespace.close();
      }
      home.close();
    },
  };
}
