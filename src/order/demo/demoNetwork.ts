import {
  addAddress,
  addNeighbour,
  createVethPair,
  link,
  NetworkNamespace,
  setLink,
  setOffloads,
  withNetns,
} from '../../sys/index.ts';

const PREFIX_LEN = 24;

/** A host of the demo: an unnamed namespace with one end of the wire. */
export interface DemoHost {
  readonly namespace: NetworkNamespace;
  readonly interface: string;
  readonly address: string;
}

/**
 * Two hosts on one machine: unnamed network namespaces and a veth pair between them.
 *
 * Nothing of it has a name outside this process, so demos cannot meet; the kernel removes it with the process. The
 * sender's end finishes its checksums itself: on veth the kernel would hand over unfinished ones, and the receiver
 * verifies them.
 */
export class DemoNetwork implements Disposable {
  readonly sender: DemoHost;
  readonly receiver: DemoHost;

  /** Makes both hosts. @throws SystemError EPERM without root's capabilities */
  constructor() {
    const sender = NetworkNamespace.create();
    let receiver: NetworkNamespace | undefined;
    try {
      receiver = NetworkNamespace.create();
      this.sender = { namespace: sender, interface: 'source', address: '10.77.0.1' };
      this.receiver = { namespace: receiver, interface: 'orders', address: '10.77.0.2' };
      wire(this.sender, this.receiver);
    } catch (error) {
      sender.close();
      receiver?.close();
      throw error;
    }
  }

  /** Lets go of both hosts; the kernel removes them once the last thread has left. Idempotent. */
  close(): void {
    this.sender.namespace.close();
    this.receiver.namespace.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function wire(sender: DemoHost, receiver: DemoHost): void {
  withNetns(sender.namespace, () => {
    createVethPair({
      name: sender.interface,
      peerName: receiver.interface,
      peerNamespace: receiver.namespace,
    });
    setOffloads(sender.interface, { txChecksum: false, segmentation: false });
  });
  for (const host of [receiver, sender]) {
    withNetns(host.namespace, () => {
      addAddress(host.interface, `${host.address}/${PREFIX_LEN}`);
      setLink('lo', { up: true });
      setLink(host.interface, { up: true });
    });
  }
  const mac = withNetns(receiver.namespace, () => link(receiver.interface).mac!);
  // While an address is being resolved, the kernel keeps a few datagrams and drops the rest: resolve it beforehand.
  withNetns(sender.namespace, () => addNeighbour(sender.interface, receiver.address, mac));
}
