import { destinationsOf, type FlowSpec } from '../bpf/index.ts';
import type { PacketSocketSpec } from '../packet/index.ts';
import { PacketPort } from './packetPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

/** What {@link openPacketPort} is told beside the spec. */
export interface PacketPortOptions {
  readonly flows?: readonly FlowSpec[];
  readonly strict?: boolean;
}

/** Every option of a `packet:` spec, in the order in which an unknown one is answered. */
const OPTIONS = [
  'rx',
  'tx',
  'frame',
  'headroom',
  'quiet',
  'bypass',
  'promiscuous',
  'group',
  'strict',
  'debug',
];

/**
 * Opens `packet:IFACE?…`; docs/packet.md says what the options mean.
 *
 * @throws TypeError for an option that nobody knows; what {@link PacketPort} throws
 */
export function openPacketPort(spec: PortSpec, { flows = [], strict }: PacketPortOptions): PacketPort {
  if (spec.target === '') {
    throw new TypeError(`Cannot open ${spec.text}: name an interface, such as packet:eth0`);
  }
  const reader = new OptionReader(spec);
  const chosen: { [Key in keyof PacketSocketSpec]?: PacketSocketSpec[Key] | undefined } = {
    rxSize: reader.integer('rx'),
    txSize: reader.integer('tx'),
    frameLen: reader.integer('frame'),
    headroom: reader.integer('headroom'),
    quiet: reader.flag('quiet'),
    qdiscBypass: reader.flag('bypass'),
    promiscuous: reader.flag('promiscuous'),
    groups: reader.text('group')?.split(','),
    strict: reader.flag('strict') ?? strict,
    debug: reader.flag('debug'),
  };
  reader.end(OPTIONS);
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new PacketPort(
    {
      ...(given as Partial<PacketSocketSpec>),
      interface: spec.target,
      flows: flows.flatMap((flow) => destinationsOf(flow)),
    },
    spec.text,
  );
}
