import { PcapPort } from './pcapPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

const OPTIONS = ['out', 'pace', 'loop', 'chunks', 'debug'];

/**
 * Opens `pcap:FILE?out=FILE&pace=fast|recorded&loop=N`; docs/ports.md says what the options mean.
 *
 * @throws TypeError for an option that nobody knows, when no file is named, or one twice; what {@link PcapPort} throws
 */
export function openPcapPort(spec: PortSpec): PcapPort {
  const reader = new OptionReader(spec);
  const out = reader.text('out');
  const pace = reader.choice('pace', ['fast', 'recorded']);
  const loop = reader.integer('loop');
  const chunkCount = reader.integer('chunks');
  const debug = reader.flag('debug');
  reader.end(OPTIONS);
  if (spec.target === '' && out === undefined) {
    throw new TypeError(`Cannot open ${spec.text}: name a capture, such as pcap:in.pcapng, or out=FILE`);
  }
  if (spec.target === out) {
    throw new TypeError(`Cannot open ${spec.text}: out would overwrite the capture that is read`);
  }
  return new PcapPort(
    {
      ...(spec.target === '' ? {} : { path: spec.target }),
      ...(out === undefined ? {} : { out }),
      ...(pace === undefined ? {} : { pace }),
      ...(loop === undefined ? {} : { loop }),
      ...(chunkCount === undefined ? {} : { chunkCount }),
      ...(debug === undefined ? {} : { debug }),
    },
    spec.text,
  );
}
