import type { FlowSpec } from '../bpf/index.ts';
import type { PacketMemory } from '../memif/index.ts';
import type { Umem } from '../xdp/index.ts';
import { openLoopPort } from './openLoopPort.ts';
import { openMemifPort } from './openMemifPort.ts';
import { openPacketPort } from './openPacketPort.ts';
import { openPcapPort } from './openPcapPort.ts';
import { openTapPort } from './openTapPort.ts';
import { openXdpPort } from './openXdpPort.ts';
import type { Port } from './port.ts';
import { explainOpening } from './portNeeds.ts';
import { type PortSpec, parsePortSpec } from './portSpec.ts';
import { withoutWrappers, wrapPort } from './wrapPort.ts';

/** What a spec string cannot say. */
export interface OpenPortOptions {
  /** the datagrams that are ours, for ports that share their interface with the kernel */
  flows?: readonly FlowSpec[];
  /** refuse to run weaker than asked */
  strict?: boolean;
  /** packet memory for `xdp:` that other ports have too, made by {@link openPorts}; other schemes have no use for it */
  umem?: Umem;
  /** the same for `memif:` */
  memory?: PacketMemory;
}

type OpenPort = (spec: PortSpec, options: OpenPortOptions) => Port;

/** Who opens a port, by scheme. */
const OPENERS: ReadonlyMap<string, OpenPort> = new Map<string, OpenPort>([
  ['xdp', openXdpPort],
  ['packet', openPacketPort],
  ['memif', openMemifPort],
  ['loop', openLoopPort],
  ['pcap', openPcapPort],
  ['tap', openTapPort],
]);

/** The schemes that {@link openPort} knows. */
export const PORT_SCHEMES: readonly string[] = [...OPENERS.keys()];

/**
 * Opens the port that a spec string names.
 *
 * - `xdp:IFACE?queue=0,1&mode=zerocopy|copy&attach=native|generic&rx=2048&tx=2048&…` AF_XDP; needs `flows` unless it
 *   joins a group, and opens every nicQueue unless some are named; docs/xdp.md has all options
 * - `packet:IFACE?frame=131072&bypass=true&…` AF_PACKET, where XDP is impossible; the kernel sees the frames too;
 *   docs/packet.md
 * - `memif:PATH?role=server&queues=1&ring=1024&mode=0660&secretFile=PATH&…` shared memory with one other program, which may
 *   be DPDK or VPP; docs/memif.md
 * - `loop:NAME?chunks=1024&ring=256` a wire in memory: the first opener of a name gets one end, the second the other
 * - `tap:NAME?mtu=1500&address=10.0.0.2/24&neighbour=10.0.0.1&…` the other end of a tap interface; docs/tap.md
 * - `pcap:FILE?out=FILE&pace=recorded&loop=N` receives what a capture holds, writes what is sent to another
 *
 * Every port takes `faults=…`, `capture=FILE` and `trace=stderr|FILE`, ports around the port; docs/ports.md has the details.
 *
 * @throws TypeError when the spec has a scheme or an option that nobody knows, or a flow is wanted and none given
 * @throws SystemError what opening the backend throws; EPERM names all capabilities that the scheme needs
 */
export function openPort(text: string, options: OpenPortOptions = {}): Port {
  const spec = parsePortSpec(text);
  const open = OPENERS.get(spec.scheme);
  if (open === undefined) {
    const known = PORT_SCHEMES.map((scheme) => `${scheme}:`).join(', ');
    throw new TypeError(`Cannot open ${text}: no port "${spec.scheme}:"; there are ${known}`);
  }
  try {
    return wrapPort(open(withoutWrappers(spec), options), spec);
  } catch (error) {
    throw explainOpening(error, spec);
  }
}
