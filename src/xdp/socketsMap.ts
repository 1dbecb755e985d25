import { BpfMap, FLOW_SOCKETS, type FlowMetadata, type MapSpec } from '../bpf/index.ts';
import type { RxMetadataKind } from '../sys/index.ts';

/** What stands for what in a map's name. */
const LETTERS: Readonly<Record<RxMetadataKind, string>> = { timestamp: 't', hash: 'h', 'vlan-tag': 'v' };

/**
 * Makes the map from nicQueue to socket; the kernel takes a closed socket out by itself.
 *
 * In the kernel its name also says what the program tells of frames, `xsks.thv` for all of it and `xsks.` for the kernel's
 * time alone: who joins a group knows nothing of it but this map's descriptor.
 *
 * @param metadata - what the program tells; undefined when nothing
 */
export function createSocketsMap(queues: number, metadata: FlowMetadata | undefined): BpfMap {
  const spec = socketsMapSpec(queues);
  using named = BpfMap.create({ ...spec, name: FLOW_SOCKETS + suffixOf(metadata) });
  return BpfMap.ofDescriptor(spec, named.fd);
}

/** Opens the map of a program that was attached elsewhere in this process. @throws SystemError EBADF */
export function joinSocketsMap(queues: number, descriptor: number): BpfMap {
  return BpfMap.ofDescriptor(socketsMapSpec(queues), descriptor);
}

/**
 * What the program behind a map of {@link createSocketsMap} tells of frames beside the kernel's time; undefined when it
 * tells nothing at all.
 *
 * @throws TypeError when the descriptor is no such map's
 */
export function metadataOfGroup(descriptor: number): ReadonlySet<RxMetadataKind> | undefined {
  const name = BpfMap.nameOf(descriptor);
  const [family, letters] = name.split('.');
  if (family !== FLOW_SOCKETS) {
    throw new TypeError(
      `Cannot join a group: descriptor ${descriptor} must be its socketsFd, got that of BPF map ${name}`,
    );
  }
  if (letters === undefined) return undefined;
  return new Set(
    (Object.keys(LETTERS) as RxMetadataKind[]).filter((kind) => letters.includes(LETTERS[kind])),
  );
}

function suffixOf(metadata: FlowMetadata | undefined): string {
  if (metadata === undefined) return '';
  const told: Record<RxMetadataKind, boolean> = {
    timestamp: metadata.timestamp === 'hardware',
    hash: metadata.hash ?? false,
    'vlan-tag': metadata.vlan ?? false,
  };
  return `.${(Object.keys(told) as RxMetadataKind[]).map((kind) => (told[kind] ? LETTERS[kind] : '')).join('')}`;
}

function socketsMapSpec(queues: number): MapSpec {
  return { name: FLOW_SOCKETS, type: 'xskmap', keyLen: 4, valueLen: 4, capacity: queues };
}
