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
        withNetns(namespace, () => setLink(name, { up: false, namespace: home }));
        namespace.close();
      }
      home.close();
    },
  };
}

/** Waits until both ends have a carrier: the igb driver resets its NIC when a program or a socket is attached. */
export function awaitCarrier({ a, b }: TestVeth): void {
  const ready = ({ namespace, name }: VethEnd): boolean => withNetns(namespace, () => link(name).running);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; !(ready(a) && ready(b)); waitedMs += 10) {
    if (waitedMs > 20_000) throw new Error('Waited 20 s in vain for a carrier at both ends');
    Atomics.wait(pause, 0, 0, 10);
  }
}
