import type { FlowMetadata, FlowSpec } from '../bpf/index.ts';
import type { Umem, XdpInterfaceSpec } from '../xdp/index.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';
import { XdpPort } from './xdpPort.ts';

/** What {@link openXdpPort} is told beside the spec. */
export interface XdpPortOptions {
  readonly flows?: readonly FlowSpec[];
  readonly strict?: boolean;
  /** see {@link OpenPortOptions.umem} */
  readonly umem?: Umem;
}

/** Every option of an `xdp:` spec, in the order in which an unknown one is answered. */
const OPTIONS = [
  'queue',
  'mode',
  'attach',
  'rx',
  'tx',
  'chunk',
  'unaligned',
  'headroom',
  'hugepages',
  'multibuffer',
  'timestamps',
  'hash',
  'vlan',
  'busypoll',
  'promiscuous',
  'group',
  'steer',
  'replace',
  'join',
  'strict',
  'debug',
];

/**
 * Opens `xdp:IFACE?…`; docs/xdp.md says what the options mean.
 *
 * @throws TypeError for an option that nobody knows, and when no flow is named
 */
export function openXdpPort(spec: PortSpec, { flows = [], strict, umem }: XdpPortOptions): XdpPort {
  if (spec.target === '') {
    throw new TypeError(`Cannot open ${spec.text}: name an interface, such as xdp:eth0`);
  }
  const reader = new OptionReader(spec);
  const memory = umemOptions(reader);
  const chosen: { [Key in keyof XdpInterfaceSpec]?: XdpInterfaceSpec[Key] | undefined } = {
    queues: reader.integers('queue'),
    mode: reader.choice('mode', ['auto', 'zerocopy', 'copy']),
    attach: reader.choice('attach', ['auto', 'native', 'generic']),
    rxSize: reader.integer('rx'),
    txSize: reader.integer('tx'),
    // A umem that is given was made by these options.
    ...(umem === undefined ? memory : { umem }),
    multiBuffer: reader.flag('multibuffer'),
    metadata: metadataOptions(reader, spec.text),
    busyPoll: reader.flag('busypoll'),
    promiscuous: reader.flag('promiscuous'),
    groups: reader.text('group')?.split(','),
    steer: reader.flag('steer'),
    replace: reader.flag('replace'),
    group: reader.integer('join'),
    strict: reader.flag('strict') ?? strict,
  };
  reader.end(OPTIONS);
  if (flows.length === 0 && chosen.group === undefined) {
    throw new TypeError(
      `Cannot open ${spec.text}: say which flow is ours, so that the kernel keeps the rest`,
    );
  }
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new XdpPort({ ...(given as Partial<XdpInterfaceSpec>), interface: spec.target, flows }, spec.text);
}

/** What is to be told of each frame; undefined for nothing, which leaves the time to the lane. @throws TypeError */
function metadataOptions(reader: OptionReader, text: string): FlowMetadata | undefined {
  const timestamp = reader.choice('timestamps', ['hardware', 'kernel', 'lane']);
  const hash = reader.flag('hash') ?? false;
  const vlan = reader.flag('vlan') ?? false;
  const asked = hash || vlan;
  if (timestamp === 'lane' && asked) {
    throw new TypeError(
      `Cannot open ${text}: hash and vlan come with the kernel's time; leave timestamps=lane out`,
    );
  }
  if (timestamp === 'lane' || !(timestamp || asked)) return undefined;
  return { timestamp: timestamp ?? 'kernel', hash, vlan };
}

/** What a spec says about the packet memory itself; undefined where it says nothing. */
export function umemOptions(reader: OptionReader): {
  readonly chunkLen: number | undefined;
  readonly unaligned: boolean | undefined;
  readonly headroom: number | undefined;
  readonly hugePages: boolean | undefined;
  readonly debug: boolean | undefined;
} {
  return {
    chunkLen: reader.integer('chunk'),
    unaligned: reader.flag('unaligned'),
    headroom: reader.integer('headroom'),
    hugePages: reader.flag('hugepages'),
    debug: reader.flag('debug'),
  };
}
