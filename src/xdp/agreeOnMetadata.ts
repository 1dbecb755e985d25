import type { FlowMetadata } from '../bpf/index.ts';
import type { RxMetadataKind } from '../sys/index.ts';

/** What can be had of the metadata that was asked for. */
export interface MetadataAgreement {
  readonly possible: FlowMetadata;
  /** what cannot, in words */
  readonly missing: readonly string[];
}

/** Compares what is asked to be told of each frame, beside the kernel's time, with what there is to tell. */
export function agreeOnMetadata(asked: FlowMetadata, has: ReadonlySet<RxMetadataKind>): MetadataAgreement {
  const { timestamp = 'kernel', hash = false, vlan = false } = asked;
  const noStamp = timestamp === 'hardware' && !has.has('timestamp');
  const noHash = hash && !has.has('hash');
  const noVlan = vlan && !has.has('vlan-tag');
  return {
    possible: {
      timestamp: noStamp ? 'kernel' : timestamp,
      hash: hash && !noHash,
      vlan: vlan && !noVlan,
    },
    missing: [
      ...(noStamp ? ['hardware timestamp'] : []),
      ...(noHash ? ['hash'] : []),
      ...(noVlan ? ['VLAN tag'] : []),
    ],
  };
}
