import { type InterfaceInfo, MAX_REGION_LEN, SystemError } from '../sys/index.ts';
import type { UnopenedQueue, XdpInterfaceSpec } from './interfaceSpec.ts';
import { checkRingSize } from './mapRing.ts';
import type { RxClock } from './rxMetadata.ts';
import { XdpSocket } from './socket.ts';
import { DEFAULT_RING_SIZE } from './socketSpec.ts';
import { Umem } from './umem.ts';

const UMEM_OPTIONS = ['chunkLen', 'unaligned', 'headroom', 'hugePages', 'txMetadata', 'debug'] as const;

/** Refuses what contradicts itself. @throws TypeError */
export function checkInterfaceSpec(spec: XdpInterfaceSpec): void {
  if (spec.attach === 'generic' && spec.mode === 'zerocopy') {
    throw new TypeError(`Cannot open ${spec.interface}: generic mode has no zero-copy; ask for one of them`);
  }
  const ignored = spec.umem && UMEM_OPTIONS.find((option) => spec[option] !== undefined);
  if (ignored)
    throw new TypeError(`Cannot open ${spec.interface}: ${ignored} is a matter of the umem that is given`);
}

/** The nicQueues that `spec` asks for. @throws RangeError for one that the interface has not */
export function wantedQueues(spec: XdpInterfaceSpec, info: InterfaceInfo): number[] {
  if (spec.queues === undefined || spec.queues === 'all') {
    return Array.from({ length: info.nicQueues }, (_, queue) => queue);
  }
  const queues = [...new Set(spec.queues)];
  const wrong = queues.find((queue) => !Number.isInteger(queue) || queue < 0 || queue >= info.nicQueues);
  if (queues.length === 0 || wrong !== undefined) {
    throw new RangeError(
      `Cannot open ${spec.interface} queue ${wrong ?? '(none)'}: it has queues 0 to ${info.nicQueues - 1}`,
    );
  }
  return queues;
}

/**
 * Opens a socket on each of the nicQueues, all in one mode.
 *
 * @param resources - gets all that was opened, also when this throws
 * @returns the sockets, and the queues that somebody else has or the driver cannot give
 * @throws SystemError when no queue can be opened; under `strict` when any cannot
 */
export function openSockets(
  spec: XdpInterfaceSpec,
  info: InterfaceInfo,
  wanted: readonly number[],
  resources: DisposableStack,
): { sockets: XdpSocket[]; unopened: UnopenedQueue[] } {
  const sockets: XdpSocket[] = [];
  const unopened: UnopenedQueue[] = [];
  let failure: unknown;
  for (const queue of wanted) {
    try {
      sockets.push(openSocket(spec, info, queue, sockets, resources));
    } catch (error) {
      // A queue that somebody else owns, or that this driver cannot give, is a step down; anything else is an error.
      if (spec.strict || !(error instanceof SystemError) || error.syscall !== 'bind(AF_XDP)') throw error;
      failure = error;
      unopened.push({ queue, reason: error.message });
    }
  }
  if (sockets.length === 0) throw failure;
  return { sockets, unopened };
}

function openSocket(
  spec: XdpInterfaceSpec,
  info: InterfaceInfo,
  queue: number,
  earlier: readonly XdpSocket[],
  resources: DisposableStack,
): XdpSocket {
  const umem = spec.umem ?? makeUmem(spec, queue);
  try {
    const socket = new XdpSocket({
      interface: spec.interface,
      ifindex: info.index,
      queue,
      umem,
      // The queues of an interface run alike: what the first could not have, the others are not asked for.
      mode: earlier[0]?.mode ?? spec.mode ?? 'auto',
      strict: spec.strict ?? false,
      region: spec.umem === undefined ? earlier.length : 0,
      ...(spec.rxSize !== undefined && { rxSize: spec.rxSize }),
      ...(spec.txSize !== undefined && { txSize: spec.txSize }),
      ...(spec.multiBuffer !== undefined && { multiBuffer: spec.multiBuffer }),
      ...(spec.keepCompletions !== undefined && { keepCompletions: spec.keepCompletions }),
      ...(spec.metadata !== undefined && { metadata: clockOf(spec) }),
    });
    if (spec.umem === undefined) resources.use(umem);
    return resources.use(socket);
  } catch (error) {
    if (spec.umem === undefined) umem.close();
    throw error;
  }
}

function clockOf({ metadata }: XdpInterfaceSpec): RxClock {
  return metadata?.timestamp ?? 'kernel';
}

function makeUmem(spec: XdpInterfaceSpec, queue: number): Umem {
  const { rxSize = DEFAULT_RING_SIZE, txSize = DEFAULT_RING_SIZE, chunkLen = 2048, strict = false } = spec;
  checkRingSize('rx', rxSize);
  checkRingSize('tx', txSize);
  // The fill ring holds twice the rx ring; the other chunks are for sending and for the burst in hand.
  const chunkCount = 2 * rxSize + txSize;
  if (chunkCount * chunkLen > MAX_REGION_LEN) {
    throw new RangeError(
      `Cannot open ${spec.interface}: an rx ring of ${rxSize} and a tx ring of ${txSize} need ${chunkCount} chunks of ` +
        `${chunkLen} bytes, and a umem is at most 2 GiB - 1`,
    );
  }
  return new Umem({
    chunkCount,
    chunkLen,
    unaligned: spec.unaligned ?? false,
    headroom: spec.headroom ?? 0,
    txMetadata: spec.txMetadata ?? false,
    hugePages: spec.hugePages ? (strict ? 'strict' : 'try') : 'off',
    debug: spec.debug ?? false,
    what: `umem of ${spec.interface} queue ${queue}`,
  });
}
