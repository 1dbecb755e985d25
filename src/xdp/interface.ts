import {
  BpfProgram,
  FLOW_SOCKETS,
  type FlowCounters,
  type FlowSpec,
  flowCountersSpec,
  flowProgramSpec,
  readFlowCounters,
  XdpLink,
} from '../bpf/index.ts';
import { type InterfaceInfo, interfaceInfo, SystemError } from '../sys/index.ts';
import { XdpSocket } from './socket.ts';
import { DEFAULT_RING_SIZE } from './socketSpec.ts';
import type { XdpStatistics } from './statistics.ts';
import { type ChunkLen, Umem } from './umem.ts';

/** What to open on an interface; plain data. */
export interface XdpInterfaceSpec {
  /** in the calling thread's network namespace */
  interface: string;
  /** the datagrams that are ours; everything else passes to the kernel */
  flows: readonly FlowSpec[];
  /** nicQueues to open; default all of them. A flow may arrive on any */
  queues?: 'all' | readonly number[];
  /** where the program runs; `auto` falls back to generic and reports it; default `auto` */
  attach?: 'auto' | 'native' | 'generic';
  /** throw instead of running weaker than asked: generic mode, a queue not opened, small pages; default false */
  strict?: boolean;
  /** VLAN tags that a frame of ours may carry; default 2 */
  maxVlanTags?: 0 | 1 | 2;
  /** of each socket, a power of two; default 2048 [descriptors] */
  rxSize?: number;
  /** of each socket, a power of two; default 2048 [descriptors] */
  txSize?: number;
  /** default 2048 [bytes] */
  chunkLen?: ChunkLen;
  /** free bytes before each received frame; default 0 [bytes] */
  headroom?: number;
  /** ask for huge pages; a refusal is reported, and under `strict` thrown; default false */
  hugePages?: boolean;
  /** prove the owner of every chunk at every step; slow; default false */
  debug?: boolean;
}

/** A nicQueue that was asked for and could not be opened. Its frames of ours go to the kernel. */
export interface UnopenedQueue {
  readonly queue: number;
  readonly reason: string;
}

/**
 * An interface with a flow redirected to us: the program, its link, and an AF_XDP socket with its own umem per nicQueue.
 *
 * Says what it got: {@link XdpInterface.attachMode}, {@link XdpInterface.reasons}, {@link XdpInterface.unopened}.
 * Closing it, or the end of the process however it comes, detaches the program.
 */
export class XdpInterface implements Disposable {
  /** the interface as it was when opened */
  readonly info: InterfaceInfo;
  /** where the program runs */
  readonly attachMode: 'native' | 'generic';
  readonly sockets: readonly XdpSocket[];
  readonly unopened: readonly UnopenedQueue[];
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  readonly #program: BpfProgram;
  readonly #link: XdpLink;

  /**
   * Opens the sockets, then attaches the program, so that no frame of ours falls between.
   *
   * @throws SystemError ENODEV, EPERM, EBUSY when another XDP program is attached (named in the message), or when no
   *   queue can be opened; under `strict` when any cannot
   */
  constructor(spec: XdpInterfaceSpec) {
    const opened: Disposable[] = [];
    try {
      this.info = interfaceInfo(spec.interface);
      const wanted = wantedQueues(spec, this.info);
      this.#program = BpfProgram.load(
        flowProgramSpec({
          flows: spec.flows,
          queues: Math.max(this.info.rxQueues, ...wanted.map((queue) => queue + 1)),
          ...(spec.maxVlanTags === undefined ? {} : { maxVlanTags: spec.maxVlanTags }),
        }),
      );
      opened.push(this.#program);
      const { sockets, unopened } = openSockets(spec, this.info, wanted, opened);
      this.sockets = sockets;
      this.unopened = unopened;
      for (const socket of sockets) this.#program.map(FLOW_SOCKETS).update(socket.queue, socket.fd);
      const attach = spec.attach ?? 'auto';
      // Under strict, generic mode has to be asked for by name.
      const mode = attach === 'auto' && spec.strict ? 'native' : attach;
      this.#link = XdpLink.attach(this.#program, this.info, mode);
      this.attachMode = this.#link.mode;
    } catch (error) {
      for (const resource of opened.reverse()) resource[Symbol.dispose]();
      throw error;
    }
    this.reasons = [
      ...(this.#link.modeReason === undefined
        ? []
        : [`generic instead of native mode: ${this.#link.modeReason}`]),
      ...this.unopened.map(({ queue, reason }) => `queue ${queue} not opened: ${reason}`),
      ...this.sockets.flatMap(({ umem }) => umem.region.pageReason ?? []),
    ];
  }

  /** What the program did with every frame that arrived, by outcome. */
  flowCounters(): FlowCounters {
    return readFlowCounters(this.#program.map(flowCountersSpec.name));
  }

  /** The statistics of all sockets, summed. */
  statistics(): XdpStatistics {
    const [first, ...rest] = this.sockets.map((socket) => socket.statistics());
    for (const statistics of rest) {
      for (const key of Object.keys(statistics) as (keyof XdpStatistics)[]) first![key] += statistics[key];
    }
    return first!;
  }

  /** Detaches the program, then closes sockets and umems. Idempotent. */
  close(): void {
    this.#link.close();
    this.#program.close();
    for (const socket of this.sockets) {
      socket.close();
      socket.umem.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function wantedQueues(spec: XdpInterfaceSpec, info: InterfaceInfo): number[] {
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

function openSockets(
  spec: XdpInterfaceSpec,
  info: InterfaceInfo,
  wanted: readonly number[],
  opened: Disposable[],
): { sockets: XdpSocket[]; unopened: UnopenedQueue[] } {
  const sockets: XdpSocket[] = [];
  const unopened: UnopenedQueue[] = [];
  let failure: unknown;
  for (const queue of wanted) {
    try {
      const socket = openSocket(spec, info, queue, sockets.length);
      opened.push(socket.umem, socket);
      sockets.push(socket);
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

function openSocket(spec: XdpInterfaceSpec, info: InterfaceInfo, queue: number, region: number): XdpSocket {
  const rxSize = spec.rxSize ?? DEFAULT_RING_SIZE;
  const txSize = spec.txSize ?? DEFAULT_RING_SIZE;
  const umem = new Umem({
    // The fill ring holds twice the rx ring; the other chunks are for sending and for the burst in hand.
    chunkCount: 2 * rxSize + txSize,
    chunkLen: spec.chunkLen ?? 2048,
    headroom: spec.headroom ?? 0,
    hugePages: spec.hugePages ? (spec.strict ? 'strict' : 'try') : 'off',
    debug: spec.debug ?? false,
    what: `umem of ${spec.interface} queue ${queue}`,
  });
  try {
    return new XdpSocket({
      interface: spec.interface,
      ifindex: info.index,
      queue,
      umem,
      rxSize,
      txSize,
      region,
    });
  } catch (error) {
    umem.close();
    throw error;
  }
}
