import { SystemError } from '../sys/index.ts';
import type { Umem } from '../xdp/index.ts';
import { type OpenPortOptions, openPort } from './openPort.ts';
import type { Port } from './port.ts';
import { type PortSpec, parsePortSpec } from './portSpec.ts';
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
interface SharedMemory extends Disposable {
  readonly options: OpenPortOptions;
}

type Share = (specs: readonly PortSpec[], strict: boolean) => SharedMemory | undefined;

/** Who makes memory for several ports of one scheme, by scheme. */
const SHARERS: ReadonlyMap<string, Share> = new Map([['xdp', shareXdp]]);

/**
 * Opens several ports, in one memory where their scheme can: then a frame that one received is sent by another as it is.
 *
 * Ports that share have `regions` in common. `xdp:` specs that want the same kind of memory get one umem; where a driver
 * refuses that, each has its own, and `reasons` says so. All others are opened one by one.
 *
 * @throws what {@link openPort} throws; under `strict` also when memory cannot be shared
 */
export function openPorts(specs: readonly string[], options: OpenPortOptions = {}): OpenedPorts {
  const parsed = specs.map(parsePortSpec);
  const scheme = parsed[0]?.scheme ?? '';
  const share = parsed.length > 1 && parsed.every((spec) => spec.scheme === scheme) && SHARERS.get(scheme);
  if (!share) return openAll(specs, options);
  const memory = share(parsed, options.strict ?? false);
  if (memory === undefined) return openAll(specs, options);
  try {
    return openAll(specs, { ...options, ...memory.options }, memory);
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
  memory?: SharedMemory,
  reasons: readonly string[] = [],
): OpenedPorts {
  using opening = new DisposableStack();
  if (memory !== undefined) opening.use(memory);
  const ports = specs.map((spec) => opening.use(openPort(spec, options)));
  const opened = opening.move();
  const close = (): void => opened.dispose();
  return { ports, reasons, close, [Symbol.dispose]: close };
}

function shareXdp(specs: readonly PortSpec[], strict: boolean): SharedMemory | undefined {
  const umem: Umem | undefined = shareUmem(specs, strict);
  return umem && { options: { umem }, [Symbol.dispose]: () => umem.close() };
}
