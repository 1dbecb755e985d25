import type { FlowCounters, FlowMetadata, XdpMode } from '../bpf/index.ts';
import { type BusyPoll, type InterfaceInfo, interfaceInfo } from '../sys/index.ts';
import { agreeOnMetadata, type MetadataAgreement } from './agreeOnMetadata.ts';
import type { XdpCopyMode } from './bindQueue.ts';
import { FlowRedirect } from './flowRedirect.ts';
import type { UnopenedQueue, XdpInterfaceSpec } from './interfaceSpec.ts';
import { checkInterfaceSpec, openSockets, wantedQueues } from './openSockets.ts';
import type { RxClock } from './rxMetadata.ts';
import type { XdpSocket } from './socket.ts';
import { joinSocketsMap, metadataOfGroup } from './socketsMap.ts';
import type { XdpStatistics } from './statistics.ts';
import { setUpAround } from './surroundings.ts';

/**
 * An interface with a flow redirected to us: the program, its link, and an AF_XDP socket per nicQueue, each with its
 * own umem unless one is given.
 *
 * Says what it got: {@link XdpInterface.mode}, {@link XdpInterface.attachMode}, {@link XdpInterface.reasons},
 * {@link XdpInterface.unopened}. Closing it, or the end of the process however it comes, detaches the program.
 */
export class XdpInterface implements Disposable {
  /** the interface as it was when opened */
  readonly info: InterfaceInfo;
  /** where the program runs; that of a group is asked of the group */
  readonly attachMode: XdpMode | 'group';
  /** how frames get into the umem */
  readonly mode: XdpCopyMode;
  /** what is told of each frame, beside its bytes; undefined when nothing is */
  readonly metadata: FlowMetadata | undefined;
  /** whose clock fills `timestampNs` of a burst that has it: without metadata the lane's, once for each burst */
  readonly timestampSource: RxClock | 'lane';
  readonly sockets: readonly XdpSocket[];
  readonly unopened: readonly UnopenedQueue[];
  /** how the sockets busy-poll; undefined when they do not */
  readonly busyPoll: BusyPoll | undefined;
  readonly #reasons: readonly string[];
  readonly #redirect: FlowRedirect | undefined;
  readonly #resources: DisposableStack;

  /**
   * Opens the sockets, then attaches the program, so that no frame of ours falls between.
   *
   * @throws RangeError for a queue that the interface has not, or sizes that cannot be
   * @throws TypeError when a group is to tell of frames, and its program does not
   * @throws SystemError ENODEV, EPERM, EBUSY when another XDP program is attached (named in the message), or when no
   *   queue can be opened; under `strict` when any cannot
   */
  constructor(spec: XdpInterfaceSpec) {
    checkInterfaceSpec(spec);
    using resources = new DisposableStack();
    this.info = interfaceInfo(spec.interface);
    const wanted = wantedQueues(spec, this.info);
    const joined = spec.group === undefined ? undefined : askGroup(spec.group, spec);
    const asked = spec.attach === 'generic' ? { ...spec, mode: 'copy' as const } : spec;
    const { sockets, unopened } = openSockets(asked, this.info, wanted, resources);
    this.sockets = sockets;
    this.unopened = unopened;
    this.mode = sockets[0]!.mode;
    const queues = Math.max(this.info.rxQueues, ...wanted.map((queue) => queue + 1));
    if (spec.group === undefined) {
      // In generic mode the driver knows nothing of the sockets, and those in zero-copy mode would receive nothing.
      const attach = this.mode === 'zerocopy' ? { ...spec, attach: 'native' as const } : spec;
      this.#redirect = resources.use(new FlowRedirect(this.info, attach, queues, sockets));
    } else {
      joinGroup(spec.group, queues, sockets);
    }
    this.attachMode = this.#redirect?.attachMode ?? 'group';
    this.metadata = this.#redirect?.metadata ?? joined?.possible;
    this.timestampSource = this.metadata === undefined ? 'lane' : (this.metadata.timestamp ?? 'kernel');
    const around = setUpAround(spec, sockets, resources);
    this.busyPoll = around.busyPoll;
    this.#reasons = [
      ...(this.#redirect?.reasons ?? []),
      ...(joined?.missing ?? []).map((what) => `frames come without ${what}: the group has none`),
      ...new Set(sockets.flatMap(({ reasons }) => reasons)),
      ...unopened.map(({ queue, reason }) => `queue ${queue} not opened: ${reason}`),
      ...sockets.flatMap(({ queue }) => whyItCannotSend(this.info, queue) ?? []),
      ...sockets.flatMap(({ umem }) => umem.region.pageReason ?? []),
      ...around.reasons,
    ];
    this.#resources = resources.move();
  }

  /** One line for every step down from what was asked, as of now. */
  get reasons(): readonly string[] {
    return this.#resources.disposed ? this.#reasons : [...this.#reasons, ...(this.busyPoll?.reasons ?? [])];
  }

  /** What the program did with every frame that arrived, by outcome. @throws Error in a group, which has the counters */
  flowCounters(): FlowCounters {
    if (this.#redirect === undefined)
      throw new Error(`Cannot read flow counters of ${this.info.name}: ask its group`);
    return this.#redirect.counters();
  }

  /** The statistics of all sockets, summed. */
  statistics(): XdpStatistics {
    const [first, ...rest] = this.sockets.map((socket) => socket.statistics());
    for (const statistics of rest) {
      for (const key of Object.keys(statistics) as (keyof XdpStatistics)[]) first![key] += statistics[key];
    }
    return first!;
  }

  /** Detaches the program, then closes sockets and its own umems. Idempotent. */
  close(): void {
    this.#resources.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The kernel takes what is sent on a queue that only receives, and does nothing. @source net/xdp/xsk.c, xsk_generic_xmit */
function whyItCannotSend({ channels, txQueues }: InterfaceInfo, queue: number): string | undefined {
  const count = channels === undefined ? txQueues : channels.tx + channels.combined;
  return queue < count ? undefined : `queue ${queue} cannot send: the interface has ${count} to send on`;
}

/** What a group tells of frames, of what is wanted; undefined when nothing is. @throws TypeError */
function askGroup(socketsFd: number, spec: XdpInterfaceSpec): MetadataAgreement | undefined {
  const has = metadataOfGroup(socketsFd);
  if (spec.metadata === undefined) return undefined;
  const refuse = (why: string): never => {
    throw new TypeError(`Cannot join the group of ${spec.interface} with metadata: ${why}`);
  };
  if (has === undefined) return refuse('its program writes none; give metadata to the group');
  const agreed = agreeOnMetadata(spec.metadata, has);
  if (spec.strict && agreed.missing.length > 0)
    refuse(`its program tells no ${agreed.missing.join(' and no ')}`);
  return agreed;
}

/** Has the group's program redirect to these sockets. */
function joinGroup(socketsFd: number, queues: number, sockets: readonly XdpSocket[]): void {
  using map = joinSocketsMap(queues, socketsFd);
  for (const { queue, fd } of sockets) map.update(queue, fd);
}
