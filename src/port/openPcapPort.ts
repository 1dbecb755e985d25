import { PcapPort } from './pcapPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

/** What {@link openPcapPort} is told beside the spec. */
export interface PcapPortOptions {
  readonly strict?: boolean;
}

/** Every option of a `pcap:` spec, in the order in which an unknown one is answered. */
const OPTIONS = ['out', 'pace', 'loop', 'chunks', 'strict', 'debug'];

/**
 * Opens `pcap:FILE?out=FILE&pace=fast|recorded&loop=N`; docs/ports.md says what the options mean.
 *
 * @throws TypeError for an option that nobody knows, or when no file is named; what {@link PcapPort} throws
 */
export function openPcapPort(spec: PortSpec, { strict }: PcapPortOptions = {}): PcapPort {
  const reader = new OptionReader(spec);
  const chosen = {
    path: spec.target === '' ? undefined : spec.target,
    out: reader.text('out'),
    pace: reader.choice('pace', ['fast', 'recorded']),
    loop: reader.integer('loop'),
    chunkCount: reader.integer('chunks'),
    strict: reader.flag('strict') ?? strict,
    debug: reader.flag('debug'),
  };
  reader.end(OPTIONS);
  if (chosen.path === undefined && chosen.out === undefined) {
    throw new TypeError(`Cannot open ${spec.text}: name a capture, such as pcap:in.pcapng, or out=FILE`);
  }
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  return new PcapPort(given, spec.text);
}
