import { SystemError } from '../sys/index.ts';
import { type OpenPortOptions, openPort } from './openPort.ts';
import type { Port } from './port.ts';
import { type PortSpec, parsePortSpec } from './portSpec.ts';
import { sharePackets } from './sharePackets.ts';
import { shareUmem } from './shareUmem.ts';

/** Ports that were opened together, and the memory that they share. */
export interface OpenedPorts extends Disposable {
  /** in the order of their specs */
  readonly ports: readonly Port[];
  /** one line for why ports that could share memory do not */
  readonly reasons: readonly string[];
  /** Closes the ports, then what memory they share. Idempotent. */
  close(): void;
}

/** Packet memory for several ports, as an option for {@link openPort}. */
interface SharedMemory {
  readonly options: OpenPortOptions;
  readonly memory: Disposable;
}

type Share = (specs: readonly PortSpec[], strict: boolean) => SharedMemory | undefined;

/** Who makes memory for several ports of one scheme, by scheme. */
const SHARERS: ReadonlyMap<string, Share> = new Map([
  ['xdp', shareOfXdp],
  ['memif', shareOfMemif],
]);

/**
 * Opens several ports, in one memory where their scheme can: then a frame that one received is sent by another as it is.
 *
 * Ports that share have `regions` in common: those of `xdp:` specs, or of `memif:` specs, that want the same kind of
 * memory. Where a driver refuses to, each has its own, and `reasons` says so. All others are opened one by one.
 *
 * NB: a memif peer of a client sees all memory of its port, so that of ports that share it too.
 *
 * @throws what {@link openPort} throws; under `strict` also when memory cannot be shared
 */
export function openPorts(specs: readonly string[], options: OpenPortOptions = {}): OpenedPorts {
  const parsed = specs.map(parsePortSpec);
  const scheme = parsed[0]?.scheme ?? '';
  const share = parsed.length > 1 && parsed.every((spec) => spec.scheme === scheme) && SHARERS.get(scheme);
  if (!share) return openAll(specs, options);
  const shared = share(parsed, options.strict ?? false);
  if (shared === undefined) return openAll(specs, options);
  try {
    return openAll(specs, { ...options, ...shared.options }, shared.memory);
  } catch (error) {
    // Such as a driver without zero-copy beside one that has it: a umem is in one mode.
    const refused = error instanceof SystemError && error.syscall === 'bind(AF_XDP)';
    if (!refused || options.strict) throw error;
    return openAll(specs, options, undefined, [`the ports share no memory: ${error.message}`]);
  }
}

/** @param memory - closed with the ports, or when one cannot be opened */
function openAll(
  specs: readonly string[],
  options: OpenPortOptions,
  memory?: Disposable,
  reasons: readonly string[] = [],
): OpenedPorts {
  using opening = new DisposableStack();
  if (memory !== undefined) opening.use(memory);
  const ports = specs.map((spec) => opening.use(openPort(spec, options)));
  const opened = opening.move();
  const close = (): void => opened.dispose();
  return { ports, reasons, close, [Symbol.dispose]: close };
}

function shareOfXdp(specs: readonly PortSpec[], strict: boolean): SharedMemory | undefined {
  const umem = shareUmem(specs, strict);
  return umem && { options: { umem }, memory: umem };
}

function shareOfMemif(specs: readonly PortSpec[]): SharedMemory | undefined {
  const memory = sharePackets(specs);
  return memory && { options: { memory }, memory };
}
