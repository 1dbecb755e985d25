import { setTimeout as sleep } from 'node:timers/promises';
import { siblingUrl } from '../../src/lane/index.ts';
import { makeWire } from '../../src/order/demo/makeWire.ts';
import type { KernelPath, Wire, WireEnd } from '../../src/order/demo/wire.ts';
import { addresses, allowedCores, links, NetworkNamespace, withNetns } from '../../src/sys/index.ts';
import type { BenchCase, Measurement, PeerMeasurement } from '../harness/benchCase.ts';
import { Isolate } from '../harness/isolate.ts';
import { needsRoot } from './needsRoot.ts';
import type { RttEnd, RttTask, RttTimes, RttVia } from './rttEnds.ts';

const VIAS: readonly RttVia[] = ['port', 'spinning UDP sockets', 'node:dgram'];
const FIGURES = ['p50', 'p99', 'p99.9'] as const;

/** A 25-byte order there and back over a veth pair, one at a time; both ends spin, each on a core of its own. */
export const rtt: BenchCase = {
  name: 'rtt',
  about:
    'round trip of a 25-byte order, over veth unless told otherwise, both ends alike, one order at a time',
  kind: 'system',
  vias: ['xdp', 'packet', 'tap', 'memif'],
  needs: needsRoot,
  async run(context) {
    using wire = makeWire(context.via ?? 'xdp:?mode=copy&strict=true');
    await using port = new Ends(portEnds(wire), () => isThere(wire.sender));
    await using kernel = new Ends(kernelEnds(wire.kernelPath, wire));
    if (wire.kernelPath.isLoopback)
      context.note('peers run over loopback: this wire has no kernel at both ends');
    const measure = (via: RttVia, seconds: number): Promise<RttTimes> =>
      (via === 'port' ? port : kernel).measure(via, seconds);

    const seconds = context.seconds(1);
    for (const via of VIAS) await measure(via, Math.min(seconds, 0.5));
    const values = new Map(VIAS.map((via) => [via, FIGURES.map((): number[] => [])]));
    for await (const _ of context.rounds()) {
      for (const via of VIAS) {
        const times = await measure(via, seconds);
        for (const [i, figure] of FIGURES.entries()) values.get(via)![i]!.push(times[figure] / 1e3);
      }
    }
    return FIGURES.map((figure, i): Measurement => {
      const peer = (name: RttVia): PeerMeasurement => ({ name, values: values.get(name)![i]! });
      const spinning = peer('spinning UDP sockets');
      const dgram = peer('node:dgram');
      const isMedian = figure === 'p50';
      return {
        figure,
        unit: 'us',
        ours: values.get('port')![i]!,
        peers: [
          isMedian ? { ...spinning, target: { op: '<', value: 1 } } : spinning,
          isMedian ? { ...dgram, target: { op: '<=', value: 1 / 12 } } : dgram,
        ],
      };
    });
  },
};

/** Both ends of one way to travel. */
interface EndPair {
  readonly caller: RttEnd;
  readonly answerer: RttEnd;
}

function portEnds({ sender, receiver }: Wire): EndPair {
  const end = (own: WireEnd, peer: WireEnd, core: number): RttEnd => ({
    ...{ netns: own.netns, via: own.via, address: own.address, core },
    ...{ peerAddress: peer.address, peerMac: peer.mac },
  });
  const cores = allowedCores();
  return { caller: end(sender, receiver, cores[0]!), answerer: end(receiver, sender, cores.at(-1)!) };
}

/** The same for sockets of the kernel. */
function kernelEnds(
  { address, isLoopback, receiverNetns, senderNetns }: KernelPath,
  { sender }: Wire,
): EndPair {
  const cores = allowedCores();
  const callerAddress = isLoopback ? address : sender.address;
  const socket = { via: undefined, peerMac: undefined };
  return {
    caller: { ...socket, netns: senderNetns, address: callerAddress, peerAddress: address, core: cores[0]! },
    answerer: {
      ...{ ...socket, netns: receiverNetns, address, peerAddress: callerAddress },
      core: cores.at(-1)!,
    },
  };
}

/** Whether sockets can be bound to an end that is the kernel's. */
function isThere({ via, netns, interface: name, address }: WireEnd): boolean {
  if (via !== undefined || netns === undefined || name === undefined) return true;
  using namespace = NetworkNamespace.open(netns);
  const has = (): boolean => addresses(name).some((each) => each.address === address);
  return withNetns(namespace, () => links().some((each) => each.name === name) && has());
}

/** A caller and an answerer, each in an isolate of its own. */
class Ends implements AsyncDisposable {
  readonly #isReady: () => boolean;
  readonly #caller: Isolate<RttTask, RttTimes>;
  readonly #answerer: Isolate<RttTask, RttTimes>;

  /** @param isReady - whether the caller can begin: what the answerer's port makes, such as a tap interface, has to be there */
  constructor({ caller, answerer }: EndPair, isReady: () => boolean = () => true) {
    const module = siblingUrl(import.meta.url, './rttEnds');
    this.#isReady = isReady;
    this.#caller = new Isolate(module, caller);
    this.#answerer = new Isolate(module, answerer);
  }

  async measure(via: RttVia, seconds: number): Promise<RttTimes> {
    const answering = this.#answerer.ask({ role: 'answer', via, seconds });
    while (!this.#isReady()) await Promise.race([answering, sleep(10)]);
    const times = await this.#caller.ask({ role: 'call', via, seconds });
    await answering;
    return times;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caller[Symbol.asyncDispose]();
    await this.#answerer[Symbol.asyncDispose]();
  }
}
