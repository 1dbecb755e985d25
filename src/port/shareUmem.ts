import { isDeepStrictEqual } from 'node:util';
import { interfaceInfo } from '../sys/index.ts';
import { DEFAULT_RING_SIZE, Umem } from '../xdp/index.ts';
import { umemOptions } from './openXdpPort.ts';
import { OptionReader, type PortSpec } from './portSpec.ts';

/** What a spec says of its memory, and how much it needs. */
interface Wanted {
  readonly options: ReturnType<typeof umemOptions>;
  /** a umem is in one copy mode */
  readonly mode: string | undefined;
  readonly chunkCount: number;
}

/**
 * Makes one umem for several `xdp:` specs, as large as theirs together would be.
 *
 * @returns undefined when the specs want memory of different kinds, or different copy modes
 * @throws TypeError for an option that cannot be read; SystemError when an interface is not there
 */
export function shareUmem(specs: readonly PortSpec[], strict: boolean): Umem | undefined {
  const wanted = specs.map(wantedBy);
  const { options, mode } = wanted[0]!;
  if (!wanted.every((other) => isDeepStrictEqual(other.options, options) && other.mode === mode))
    return undefined;
  const { chunkLen, unaligned, headroom, hugePages, debug } = options;
  return new Umem({
    chunkCount: wanted.reduce((sum, { chunkCount }) => sum + chunkCount, 0),
    shared: true,
    ...(chunkLen === undefined ? {} : { chunkLen }),
    ...(unaligned === undefined ? {} : { unaligned }),
    ...(headroom === undefined ? {} : { headroom }),
    ...(debug === undefined ? {} : { debug }),
    hugePages: hugePages ? (strict ? 'strict' : 'try') : 'off',
    what: `umem of ${specs.map(({ target }) => target).join(' and ')}`,
  });
}

function wantedBy(spec: PortSpec): Wanted {
  const reader = new OptionReader(spec);
  const options = umemOptions(reader);
  const queues = reader.integers('queue')?.length ?? interfaceInfo(spec.target).nicQueues;
  const rxSize = reader.integer('rx') ?? DEFAULT_RING_SIZE;
  const txSize = reader.integer('tx') ?? DEFAULT_RING_SIZE;
  // As much as each nicQueue would have of its own.
  return { options, mode: reader.text('mode'), chunkCount: queues * (2 * rxSize + txSize) };
}
