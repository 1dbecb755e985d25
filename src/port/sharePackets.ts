import { PacketMemory } from '../memif/index.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

/** What each of the ports would have of its own, unless told: rings of two directions, and bursts in hand. */
const DEFAULT_RING_SIZE = 1024;
const IN_HAND = 1024;

/**
 * Makes one packet memory for several `memif:` specs, as large as theirs together would be.
 *
 * NB: as a client each of the ports hands it to its peer, so the peers see each other's frames.
 *
 * @returns undefined when the specs want chunks of different kinds
 * @throws TypeError for an option that cannot be read; RangeError for sizes that cannot be
 */
export function sharePackets(specs: readonly PortSpec[]): PacketMemory | undefined {
  const wanted = specs.map(wantedBy);
  const { chunkLen, debug } = wanted[0]!;
  if (!wanted.every((other) => other.chunkLen === chunkLen && other.debug === debug)) return undefined;
  return new PacketMemory({
    chunkCount: wanted.reduce((sum, { chunkCount }) => sum + chunkCount, 0),
    ...(chunkLen === undefined ? {} : { chunkLen }),
    ...(debug === undefined ? {} : { debug }),
  });
}

function wantedBy(spec: PortSpec): {
  readonly chunkLen: number | undefined;
  readonly debug: boolean | undefined;
  readonly chunkCount: number;
} {
  const reader = new OptionReader(spec);
  const queues = reader.integer('queues') ?? 1;
  const ringSize = reader.integer('ring') ?? DEFAULT_RING_SIZE;
  return {
    chunkLen: reader.integer('chunk'),
    debug: reader.flag('debug'),
    chunkCount: reader.integer('chunks') ?? queues * 2 * ringSize + IN_HAND,
  };
}
