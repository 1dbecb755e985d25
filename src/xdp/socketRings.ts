import { libc } from '../ffi/index.ts';
import { type Fd, NetworkNamespace, netdevInfo } from '../sys/index.ts';
import { effectiveMode, openXdpFd, registerUmem, setTxBudget, sizeSendBuffer } from './bind.ts';
import { bindQueue, type XdpCopyMode } from './bindQueue.ts';
import { checkRingSize, mapRing } from './mapRing.ts';
import { ADDR_WORDS, ConsumerRing, DESC_WORDS, FillRing, ProducerRing, type RingSet } from './ring.ts';
import { DEFAULT_RING_SIZE, type XdpSocketSpec } from './socketSpec.ts';
import type { Umem } from './umem.ts';
import type { QueueRings, UmemSocket } from './umemSockets.ts';

/** Frames that one wake-up should send in copy mode: several bursts, and still well under a millisecond. */
const TX_BUDGET = 256;
/** What a frame on its way counts against the send buffer, at most. [bytes] */
const SEND_BUFFER_PER_FRAME = 4096;
/** A driver lets go of a closed zero-copy socket's chunks in a worker of the kernel: usually within a few ms. */
const fiftyMs = new Uint32Array([0, 0, 50_000_000, 0]);

/** A bound AF_XDP socket and its rings, mapped: what there is to open and to close of an XdpSocket. */
export class SocketRings implements RingSet, Disposable {
  readonly fd: Fd;
  readonly rx: ConsumerRing;
  readonly tx: ProducerRing;
  /** what the kernel granted, read back from XDP_OPTIONS */
  readonly mode: XdpCopyMode;
  /** why the mode is weaker than asked; undefined when as asked */
  readonly modeReason: string | undefined;
  /** why checksums are computed by us, or sent frames not stamped, although the umem has metadata; undefined when as asked */
  readonly txReason: string | undefined;
  /** {@link TxMetadata}'s checksums are ours to compute */
  readonly softwareChecksums: boolean;
  /** frames that one wake-up sends in copy mode */
  readonly txBudget: number;
  readonly #spec: XdpSocketSpec;
  readonly #self: UmemSocket;
  readonly #resources: DisposableStack;

  /**
   * Opens, registers the umem or joins the sockets on it, sizes, maps and binds; all or nothing.
   *
   * @throws TypeError when the umem has a socket and is not shared, or the others on it run otherwise than asked
   * @throws RangeError when a size is no power of two, or the fill ring is too small
   * @throws SystemError EPERM, EBUSY (queue taken), EINVAL (no such queue), ENODEV
   */
  constructor(spec: XdpSocketSpec) {
    const { umem, rxSize = DEFAULT_RING_SIZE, txSize = DEFAULT_RING_SIZE } = spec;
    const { needWakeup = true, multiBuffer = false, keepCompletions = false } = spec;
    const fillSize = checkSizes(rxSize, txSize, spec.fillSize);
    const subject = `${spec.interface} queue ${spec.queue}`;
    const place = placeOf(spec);
    const neighbour = umem.sockets.on(place);
    const relative = neighbour ?? umem.sockets.any;
    checkSharing(spec, subject, relative, neighbour);
    const { mode, reason } = relative === undefined ? wantedMode(spec) : { mode: relative.mode };

    using cleanup = new DisposableStack();
    this.fd = cleanup.use(openXdpFd(subject));
    const { fd } = this.fd;
    if (relative === undefined) registerUmem(fd, umem, subject, spec.strict ?? false);
    const rx = mapRing(fd, 'rx', rxSize);
    cleanup.use(rx.mapping);
    const tx = mapRing(fd, 'tx', txSize);
    cleanup.use(tx.mapping);
    this.rx = new ConsumerRing(rx.memory, DESC_WORDS);
    this.tx = new ProducerRing(tx.memory);
    const rings =
      neighbour?.rings ?? cleanup.use(mapQueueRings(fd, fillSize, txSize, umem.sockets.freeHolder()));
    sizeSendBuffer(fd, txSize * SEND_BUFFER_PER_FRAME);
    this.txBudget = setTxBudget(fd, Math.min(txSize, TX_BUDGET));
    const { ifindex, queue } = spec;
    const request = { ifindex, queue, mode, needWakeup, multiBuffer, subject };
    const shared = relative === undefined ? {} : { sharedWith: relative.fd };
    this.modeReason = bindQueue(fd, { ...request, ...shared }) ?? reason;
    this.mode = effectiveMode(fd);
    const { checksums, reason: txReason } = txOffload(umem, this.mode, ifindex);
    if (spec.strict && txReason !== undefined) {
      throw new Error(`Cannot open AF_XDP socket on ${subject} with transmit metadata: ${txReason}`);
    }
    this.softwareChecksums = !checksums;
    this.txReason = txReason;
    this.#self = { place, fd, mode: this.mode, needWakeup, multiBuffer, keepCompletions, rings };
    umem.sockets.add(this.#self);
    this.#spec = spec;
    cleanup.move();
    this.#resources = new DisposableStack();
    for (const resource of [this.fd, rx.mapping, tx.mapping]) this.#resources.use(resource);
  }

  /** The fill ring, which sockets on one nicQueue and umem have in common. */
  get fill(): FillRing {
    return this.#self.rings.fill;
  }

  /** The completion ring, which sockets on one nicQueue and umem have in common. */
  get completion(): ConsumerRing {
    return this.#self.rings.completion;
  }

  /** Who holds the chunks on the rings, in the owner table of a shared umem. */
  get holder(): number {
    return this.#self.rings.holder;
  }

  /**
   * Unmaps the rings, closes the socket, and gives a shared umem back what was on its rings. Idempotent.
   *
   * @param sending - whether frames may be on their way still: some drivers read them in the umem, in copy mode too
   */
  close(sending: boolean = false): void {
    if (this.#resources.disposed) return;
    const { umem } = this.#spec;
    const { rings } = this.#self;
    const heir = umem.sockets.remove(this.#self);
    // NB: the mapping would keep this socket open, bound and redirected to.
    if (heir !== undefined) rings.rehome(heir.fd);
    this.#resources.dispose();
    if (heir !== undefined) return;
    rings[Symbol.dispose]();
    if (!umem.shared) return;
    if (sending || this.mode === 'zerocopy') libc.nanosleep(fiftyMs, null);
    umem.reclaim(rings.holder);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface WantedMode {
  readonly mode: 'auto' | XdpCopyMode;
  readonly reason?: string;
}

/** Who does what is asked of sent frames: in copy mode the kernel does all, in zero-copy mode the driver what it can. */
function txOffload(
  umem: Umem,
  mode: XdpCopyMode,
  ifindex: number,
): { readonly checksums: boolean; readonly reason?: string } {
  if (umem.txMetadata === 'software') {
    const reason =
      'checksums of sent frames in software, and no time of sending: the kernel has no transmit metadata';
    return { checksums: false, reason };
  }
  if (umem.txMetadata === 'none' || mode === 'copy') return { checksums: true };
  const has = netdevInfo(ifindex)?.xskFeatures ?? new Set();
  const checksums = has.has('tx-checksum');
  const weaker = [
    ...(checksums ? [] : ['checksums of sent frames in software']),
    ...(has.has('tx-timestamp') ? [] : ['no time of sending']),
  ].join(', and ');
  return { checksums, ...(weaker !== '' && { reason: `${weaker}: the driver has none` }) };
}

/** Under strict a weaker mode has to be asked for by name. @throws TypeError for what would lose chunks */
function wantedMode({ umem, mode = 'auto', strict = false }: XdpSocketSpec): WantedMode {
  const wanted = strict && mode === 'auto' ? 'zerocopy' : mode;
  if (wanted === 'copy' || !umem.unaligned || pagesHold(umem)) return { mode: wanted };
  const reason = 'unaligned chunks need huge pages that none of them crosses';
  if (wanted === 'auto') return { mode: 'copy', reason: `copy instead of zero-copy: ${reason}` };
  throw new TypeError(`Cannot open AF_XDP socket in zero-copy mode: ${reason}`);
}

/**
 * Tells whether no chunk lies across two pages, which are not adjacent for a NIC.
 *
 * NB: the kernel drops such fill and tx entries without a word.
 *
 * @source net/xdp/xsk_queue.h, xp_desc_crosses_non_contig_pg()
 */
function pagesHold({ chunkLen, len, region: { pageSize } }: Umem): boolean {
  return len <= pageSize || pageSize % chunkLen === 0;
}

/** @returns the size of the fill ring */
function checkSizes(rxSize: number, txSize: number, fillSize: number = 2 * rxSize): number {
  checkRingSize('rx', rxSize);
  checkRingSize('tx', txSize);
  checkRingSize('fill', fillSize);
  if (fillSize >= 2 * rxSize) return fillSize;
  throw new RangeError(
    `Cannot open AF_XDP socket: fill ring must be at least ${2 * rxSize}, got ${fillSize}`,
  );
}

/** The kernel knows an interface by itself and not by its index, which another namespace may have as well. */
function placeOf({ ifindex, queue }: XdpSocketSpec): string {
  using namespace = NetworkNamespace.current();
  return `${namespace.id}:${ifindex}:${queue}`;
}

/** Says what the kernel says with EINVAL. @source net/xdp/xsk.c, xsk_bind() */
function checkSharing(
  spec: XdpSocketSpec,
  subject: string,
  relative: UmemSocket | undefined,
  neighbour: UmemSocket | undefined,
): void {
  const { umem } = spec;
  const refuse = (why: string): never => {
    throw new TypeError(`Cannot open AF_XDP socket on ${subject}: ${why}`);
  };
  if (umem.sockets.used && !umem.shared) {
    refuse('its umem has, or had, another socket; make the umem with shared: true');
  }
  if (relative === undefined) return;
  const wanted = wantedMode(spec).mode;
  if (wanted !== 'auto' && wanted !== relative.mode) {
    refuse(
      `all sockets on a umem run in the mode of the first, which is ${relative.mode}; ${wanted} was asked for`,
    );
  }
  for (const option of ['needWakeup', 'multiBuffer'] as const) {
    if (spec[option] === undefined || spec[option] === relative[option]) continue;
    refuse(`${option} is ${relative[option]} for all sockets on its umem, as for the first`);
  }
  if (neighbour === undefined) return;
  if ((spec.keepCompletions ?? false) !== neighbour.keepCompletions) {
    refuse(`keepCompletions is ${neighbour.keepCompletions} for all sockets on that queue, as for the first`);
  }
  if (spec.fillSize !== undefined && spec.fillSize !== neighbour.rings.fill.size) {
    refuse(
      `it uses the fill ring of the other socket on that queue, which has ${neighbour.rings.fill.size} slots`,
    );
  }
}

function mapQueueRings(fd: number, fillSize: number, completionSize: number, holder: number): QueueRings {
  using cleanup = new DisposableStack();
  const fill = mapRing(fd, 'fill', fillSize);
  cleanup.use(fill.mapping);
  const completion = mapRing(fd, 'completion', completionSize);
  cleanup.use(completion.mapping);
  const mappings = cleanup.move();
  return {
    fill: new FillRing(fill.memory),
    completion: new ConsumerRing(completion.memory, ADDR_WORDS),
    holder,
    rehome: (heirFd) => {
      fill.mapping.rehome(heirFd);
      completion.mapping.rehome(heirFd);
    },
    [Symbol.dispose]: () => mappings.dispose(),
  };
}
