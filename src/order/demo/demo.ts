import { type CapabilityFeature, explainRefusal, SystemError, UnsupportedError } from '../../sys/index.ts';
import type { RunningReceiver } from '../receiveOrders.ts';
import {
  type DemoPath,
  type PathOptions,
  replayPath,
  runPath,
  type SenderPlace,
  startReceiver,
} from './demoPath.ts';
import { makeWire } from './makeWire.ts';
import { startDgram } from './startDgram.ts';
import { ORDER_UDP_PORT, type Wire } from './wire.ts';
import { parseWireSpec } from './wireSpec.ts';

/** What the demo runs. */
export interface DemoOptions extends PathOptions {
  /**
   * what carries the orders: a spec that {@link makeWire} takes, or `pcap:FILE` to replay one; default `xdp`, and where
   * that cannot be had, `udp`
   */
  readonly via?: string | undefined;
  /** throw instead of falling back to kernel sockets; default false */
  readonly strict?: boolean;
}

/** Both paths of one run. */
export interface DemoResult {
  readonly ours: DemoPath;
  /** undefined where orders come from a capture: there is nothing to compare with */
  readonly dgram: DemoPath | undefined;
  /** why ours is not what it is by default; undefined when it is, or is what was asked for */
  readonly reason: string | undefined;
  /** node:dgram received over loopback: our wire has no kernel at both ends */
  readonly dgramOverLoopback: boolean;
}

/** Room for a third of a second at the default rate: on a busy host even a pinned thread may wait so long. */
const RX_RING = 16_384;

/**
 * The main job: orders as UDP datagrams, from a process of its own at an open-loop rate, into an order book; once over
 * the wire that was asked for, once over node:dgram.
 *
 * Unless told otherwise the wire is AF_XDP's; where that cannot be had, the same job runs over kernel UDP sockets on
 * loopback, and says why. Nothing is left behind, however it ends. A capture is replayed into the book, without latency.
 *
 * @throws TypeError when `via` is nothing that the demo can run over
 * @throws SystemError or UnsupportedError when what was asked for cannot be had, or nothing was and `strict` is set
 */
export async function runDemo(options: DemoOptions = {}): Promise<DemoResult> {
  const { via } = options;
  if (via !== undefined && parseWireSpec(via).scheme === 'pcap') return replay(via, options);
  const { wire, receiver, reason } = await openWire(via, options.strict ?? false);
  using _ = wire;
  const { kernelPath, udpPort } = wire;
  const ours = withPeer(wire, await runPath(receiver, senderOn(wire), options));
  const control = await startDgram(
    kernelPath.address,
    kernelPath.isLoopback ? 0 : udpPort,
    kernelPath.receiverNetns,
  );
  const from = { netns: kernelPath.senderNetns, address: kernelPath.address };
  const dgram = await runPath(control, from, options);
  return { ours, dgram, reason, dgramOverLoopback: kernelPath.isLoopback };
}

async function replay(via: string, options: DemoOptions): Promise<DemoResult> {
  const { target, text } = parseWireSpec(via);
  if (target === '') {
    throw new TypeError(
      `Cannot replay ${text}: name a capture, such as pcap:orders.pcapng; ` +
        'the demo writes one with --via xdp:?capture=orders.pcapng',
    );
  }
  const receiver = await startReceiver({ via, udpPort: ORDER_UDP_PORT, netns: undefined });
  const ours = await replayPath(receiver, options);
  return { ours, dgram: undefined, reason: undefined, dgramOverLoopback: false };
}

/** A wire, and what already receives on it. */
interface OpenWire {
  readonly wire: Wire;
  readonly receiver: RunningReceiver;
  /** why it is not the usual one */
  readonly reason: string | undefined;
}

async function openWire(via: string | undefined, strict: boolean): Promise<OpenWire> {
  try {
    return await openOne(via ?? 'xdp', undefined);
  } catch (error) {
    const { scheme } = parseWireSpec(via ?? 'xdp');
    const explained = explainRefusal(error, {
      action: 'Cannot run the demo over',
      subject: scheme === 'xdp' ? 'AF_XDP' : scheme,
      features: NEEDS[scheme] ?? [],
    });
    const refused = explained instanceof SystemError || explained instanceof UnsupportedError;
    if (strict || via !== undefined || !refused) throw explained;
    return openOne('udp', explained.message);
  }
}

/** What wire and port together need, by scheme, where it is anything. */
const NEEDS: Readonly<Record<string, readonly CapabilityFeature[]>> = {
  xdp: ['network namespace', 'interface set-up', 'AF_XDP socket', 'XDP program'],
  packet: ['network namespace', 'interface set-up'],
  tap: ['network namespace', 'interface set-up'],
};

async function openOne(via: string, reason: string | undefined): Promise<OpenWire> {
  const wire = makeWire(via, { rxRing: RX_RING });
  try {
    const { receiver, udpPort } = wire;
    const started = await startReceiver({ via: receiver.via!, udpPort, netns: receiver.netns });
    return { wire, receiver: started, reason };
  } catch (error) {
    wire[Symbol.dispose]();
    throw error;
  }
}

/** A socket of the kernel sends where one reaches the wire, and a port where none does. */
function senderOn({ receiver, sender }: Wire): SenderPlace {
  const place = { netns: sender.netns, address: receiver.address };
  if (sender.interface !== undefined) return place;
  const port = {
    via: sender.via!,
    sourceMac: sender.mac!,
    sourceAddress: sender.address,
    destinationMac: receiver.mac!,
  };
  return { ...place, port };
}

/** Reports how a path ran whose receiver was started before its peer was there. */
function withPeer({ mode }: Wire, path: DemoPath): DemoPath {
  if (mode === undefined) return path;
  return { ...path, mode, reasons: path.reasons.filter((reason) => !reason.startsWith('No peer yet')) };
}
