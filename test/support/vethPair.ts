import {
  addAddress,
  createVethPair,
  link,
  NetworkNamespace,
  setLink,
  setOffloads,
  withNetns,
} from '../../src/sys/index.ts';

/** One end of a {@link TestVeth}. */
export interface VethEnd {
  readonly namespace: NetworkNamespace;
  readonly name: string;
  readonly address: string;
  /** `02:00:…` */
  readonly mac: string;
}

/** Two unnamed namespaces and a veth pair between them, up and with addresses; gone when closed or killed. */
export interface TestVeth extends Disposable {
  readonly a: VethEnd;
  readonly b: VethEnd;
}

/** How to make a {@link TestVeth}. */
export interface TestVethOptions {
  /** nicQueues of each end; default 1 */
  readonly queues?: number;
  /** leave unfinished checksums to the device on the sending end, as the kernel does by default; default false */
  readonly txChecksum?: boolean;
}

/** Makes the pair: `va` with 10.9.0.1 and `vb` with 10.9.0.2. Needs root. */
export function testVeth(options: TestVethOptions = {}): TestVeth {
  const { queues = 1, txChecksum = false } = options;
  const namespaces = [NetworkNamespace.create(), NetworkNamespace.create()] as const;
  const names = ['va', 'vb'] as const;
  try {
    withNetns(namespaces[0], () =>
      createVethPair({
        name: names[0],
        peerName: names[1],
        peerNamespace: namespaces[1],
        rxQueues: queues,
        txQueues: queues,
      }),
    );
    const [a, b] = [0, 1].map((i) => prepareEnd(namespaces[i]!, names[i]!, i, txChecksum));
    return { a: a!, b: b!, [Symbol.dispose]: () => closeAll(namespaces) };
  } catch (error) {
    closeAll(namespaces);
    throw error;
  }
}

function prepareEnd(namespace: NetworkNamespace, name: string, i: number, txChecksum: boolean): VethEnd {
  const address = `10.9.0.${i + 1}`;
  const mac = withNetns(namespace, () => {
    addAddress(name, `${address}/24`);
    setOffloads(name, { txChecksum, segmentation: txChecksum });
    setLink('lo', { up: true });
    setLink(name, { up: true });
    return link(name).mac!;
  });
  return { namespace, name, address, mac };
}

function closeAll(namespaces: readonly NetworkNamespace[]): void {
  for (const namespace of namespaces) namespace.close();
}
