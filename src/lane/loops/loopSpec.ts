import { parsePortSpec } from '../../port/index.ts';
import type { IdleName } from '../laneSpec.ts';

/** The plain loops by the names that the field has for them. */
export const loopVerbs = ['rxdrop', 'txonly', 'l2fwd', 'echo'] as const;

/** One of the plain loops. */
export type LoopVerb = (typeof loopVerbs)[number];

/** What loop to run, over what, and where; plain data. */
export interface LoopSpec {
  readonly verb: LoopVerb;
  /** one port, or two for l2fwd, which then forwards each to the other: `xdp:eth0?queue=0` */
  readonly ports: readonly string[];
  /** most descriptors of a poll, 1 to 65,536; default 64 */
  readonly burst?: number;
  /** of what txonly sends, FCS not counted; default 64 [bytes] */
  readonly frameLen?: number;
  /** UDP destination port: of the frames that are ours, where a port leaves the rest to the kernel, and of what txonly sends; default 9 */
  readonly udpPort?: number;
  /** where txonly sends to; a port that may reach a whole network has no default */
  readonly destinationMac?: string;
  /** core to pin the lane to; default none */
  readonly core?: number;
  /** default busySpin on a core of its own, else backoff */
  readonly idle?: IdleName;
  /** network namespace of the interfaces; the process's own when absent */
  readonly netns?: string;
  /** refuse to run weaker than asked; default false */
  readonly strict?: boolean;
  /** time between two readings; default 50 [ms] */
  readonly intervalMs?: number;
}

/** The port that the field's programs send to unless told: discard. @source RFC 863 */
export const DEFAULT_UDP_PORT = 9;

/** Shortest Ethernet frame, FCS not counted, rounded up to what the field measures with. [bytes] */
export const DEFAULT_FRAME_LEN = 64;

/** Where frames can reach nobody but the one other end, or a file. */
const PRIVATE_SCHEMES: readonly string[] = ['loop', 'memif', 'pcap', 'tap'];

/**
 * Refuses what no loop can be.
 *
 * @throws TypeError when there are too many ports, or a port spec is none, or txonly is not told where to send
 */
export function checkLoopSpec({ verb, ports, destinationMac }: LoopSpec): void {
  const most = verb === 'l2fwd' ? 2 : 1;
  if (ports.length < 1 || ports.length > most) {
    const wanted = most === 1 ? 'one port' : 'one port or two';
    throw new TypeError(`Cannot run ${verb} over ${ports.length} ports: wanted ${wanted}`);
  }
  for (const port of ports) {
    const { scheme } = parsePortSpec(port);
    if (verb === 'txonly' && destinationMac === undefined && !PRIVATE_SCHEMES.includes(scheme)) {
      throw new TypeError(`Cannot send on ${port}: say where to with --mac, lest a whole network is flooded`);
    }
  }
}
