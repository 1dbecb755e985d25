import type { FlowSpec } from '../bpf/index.ts';
import type { XdpInterfaceSpec } from '../xdp/index.ts';
import { LoopPort } from './loopPort.ts';
import type { Port } from './port.ts';
import { OptionReader, type PortSpec, parsePortSpec } from './portSpec.ts';
import { XdpPort } from './xdpPort.ts';

/** What a spec string cannot say. */
export interface OpenPortOptions {
  /** the datagrams that are ours, for ports that share their interface with the kernel */
  flows?: readonly FlowSpec[];
  /** refuse to run weaker than asked */
  strict?: boolean;
}

const XDP_OPTIONS = ['queue', 'attach', 'rx', 'tx', 'chunk', 'headroom', 'hugepages', 'strict', 'debug'];
const LOOP_OPTIONS = ['chunks', 'ring', 'debug'];

/** Ends of loops that were opened once and wait for the second opener, by name. */
const waiting = new Map<string, LoopPort>();

/**
 * Opens the port that a spec string names.
 *
 * - `xdp:IFACE?queue=0,1&attach=auto|native|generic&rx=2048&tx=2048&chunk=2048|4096&headroom=0&hugepages=true&strict=true`
 *   AF_XDP; needs `flows`, and every nicQueue unless some are named
 * - `loop:NAME?chunks=1024&ring=256` a wire in memory: the first opener of a name gets one end, the second the other
 *
 * @throws TypeError when the spec has a scheme or an option that nobody knows, or no flow for `xdp:`
 * @throws SystemError what opening the backend throws
 */
export function openPort(text: string, options: OpenPortOptions = {}): Port {
  const spec = parsePortSpec(text);
  if (spec.scheme === 'xdp') return openXdp(spec, options);
  if (spec.scheme === 'loop') return openLoop(spec);
  throw new TypeError(`Cannot open ${text}: no port "${spec.scheme}:"; there are xdp: and loop:`);
}

function openXdp(spec: PortSpec, options: OpenPortOptions): XdpPort {
  const { flows } = options;
  if (spec.target === '')
    throw new TypeError(`Cannot open ${spec.text}: name an interface, such as xdp:eth0`);
  if (flows === undefined || flows.length === 0) {
    throw new TypeError(
      `Cannot open ${spec.text}: say which flow is ours, so that the kernel keeps the rest`,
    );
  }
  const reader = new OptionReader(spec);
  const chosen = {
    queues: reader.integers('queue'),
    attach: reader.choice('attach', ['auto', 'native', 'generic']),
    rxSize: reader.integer('rx'),
    txSize: reader.integer('tx'),
    chunkLen: chunkLen(reader.choice('chunk', ['2048', '4096'])),
    headroom: reader.integer('headroom'),
    hugePages: reader.flag('hugepages'),
    strict: reader.flag('strict') ?? options.strict,
    debug: reader.flag('debug'),
  };
  reader.end(XDP_OPTIONS);
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new XdpPort({ ...(given as Partial<XdpInterfaceSpec>), interface: spec.target, flows }, spec.text);
}

function chunkLen(text: '2048' | '4096' | undefined): 2048 | 4096 | undefined {
  if (text === undefined) return undefined;
  return text === '2048' ? 2048 : 4096;
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
