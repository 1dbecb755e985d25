import type { FlowSpec } from '../bpf/index.ts';
import { LoopPort } from './loopPort.ts';
import { openXdpPort } from './openXdpPort.ts';
import type { Port } from './port.ts';
import { OptionReader, type PortSpec, parsePortSpec } from './portSpec.ts';

/** What a spec string cannot say. */
export interface OpenPortOptions {
  /** the datagrams that are ours, for ports that share their interface with the kernel */
  flows?: readonly FlowSpec[];
  /** refuse to run weaker than asked */
  strict?: boolean;
}

/** The schemes that {@link openPort} knows. */
export const PORT_SCHEMES: readonly string[] = ['xdp', 'loop'];

const LOOP_OPTIONS = ['chunks', 'ring', 'debug'];

/** Ends of loops that were opened once and wait for the second opener, by name. */
const waiting = new Map<string, LoopPort>();

/**
 * Opens the port that a spec string names.
 *
 * - `xdp:IFACE?queue=0,1&mode=zerocopy|copy&attach=native|generic&rx=2048&tx=2048&…` AF_XDP; needs `flows` unless it
 *   joins a group, and opens every nicQueue unless some are named; docs/xdp.md has all options
 * - `loop:NAME?chunks=1024&ring=256` a wire in memory: the first opener of a name gets one end, the second the other
 *
 * @throws TypeError when the spec has a scheme or an option that nobody knows, or a flow is wanted and none given
 * @throws SystemError what opening the backend throws
 */
export function openPort(text: string, options: OpenPortOptions = {}): Port {
  const spec = parsePortSpec(text);
  if (spec.scheme === 'xdp') return openXdpPort(spec, options);
  if (spec.scheme === 'loop') return openLoop(spec);
  const known = PORT_SCHEMES.map((scheme) => `${scheme}:`).join(', ');
  throw new TypeError(`Cannot open ${text}: no port "${spec.scheme}:"; there are ${known}`);
}

function openLoop(spec: PortSpec): LoopPort {
  const reader = new OptionReader(spec);
  const chunkCount = reader.integer('chunks');
  const ringSize = reader.integer('ring');
  const debug = reader.flag('debug');
  reader.end(LOOP_OPTIONS);
  const second = waiting.get(spec.target);
  if (second !== undefined) {
    waiting.delete(spec.target);
    return second;
  }
  const [first, other] = LoopPort.pair({
    name: spec.text,
    ...(chunkCount === undefined ? {} : { chunkCount }),
    ...(ringSize === undefined ? {} : { ringSize }),
    ...(debug === undefined ? {} : { debug }),
  });
  waiting.set(spec.target, other);
  return first;
}
