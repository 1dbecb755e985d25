import { link } from '../sys/index.ts';
import { BPF_FUNC_map_lookup_elem, XDP_PASS, xdp_md } from '../sys/uapi/index.ts';
import { Assembler } from './assembler.ts';
import { matchFlows } from './flowAssembly.ts';
import { FLOW_OUTCOMES } from './flowCounters.ts';
import { destinationsOf, type FlowSpec } from './flowSpec.ts';
import { XdpLink, type XdpMode } from './link.ts';
import type { BpfMap } from './map.ts';
import { BpfProgram } from './program.ts';
import type { ProgramSpec } from './programSpec.ts';
import { r0, r1, r2, r3, r6, r7, r9, r10 } from './registers.ts';

/** UDP datagrams to count; what is absent may be anything. */
export interface CountedFlow extends FlowSpec {
  /** as text or as its 4 or 16 bytes, of the flow's IP version */
  readonly sourceAddress?: string | Uint8Array | undefined;
  /** 1 to 65535 */
  readonly sourcePort?: number | undefined;
}

/** What a {@link QueueCounter} watches. */
export interface QueueCounterSpec {
  /** in the calling thread's network namespace */
  readonly interface: string;
  readonly flow: CountedFlow;
  /**
   * where the program runs; default `auto`, as for an XdpInterface.
   *
   * NB: ask in the mode in which frames will be taken. On veth generic mode numbers the same frames one lower (the
   * driver leaves the sender's transmit queue where the kernel expects a receive queue plus one).
   */
  readonly attach?: XdpMode | 'auto';
}

const COUNTS = 'queue_counts';

/**
 * Counts the frames of a flow by the nicQueue that they arrive on, while the kernel takes them as ever.
 *
 * Matches as the flow program does: fragments are not counted, VLAN tags are stepped over.
 */
export class QueueCounter implements Disposable {
  /** where the program runs */
  readonly attachMode: XdpMode;
  readonly #program: BpfProgram;
  readonly #link: XdpLink;
  readonly #counts: BpfMap;

  /**
   * Loads the program and attaches it.
   *
   * @throws SystemError EBUSY or EEXIST when an XDP program is attached, ENODEV, EPERM
   * @throws RangeError, TypeError when the flow cannot be
   */
  constructor(spec: QueueCounterSpec) {
    const target = link(spec.interface);
    using cleanup = new DisposableStack();
    this.#program = cleanup.use(BpfProgram.load(queueCounterSpec(spec.flow, target.rxQueues)));
    this.#link = XdpLink.attach(this.#program, target, spec.attach ?? 'auto');
    this.attachMode = this.#link.mode;
    this.#counts = this.#program.map(COUNTS);
    cleanup.move();
  }

  /** Returns the frames counted so far, by nicQueue. [frames] */
  frames(): number[] {
    return readQueueCounts(this.#counts);
  }

  /** Detaches the program. Idempotent. */
  close(): void {
    this.#link.close();
    this.#program.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Returns the XDP program of a {@link QueueCounter}: it passes every frame, and counts those of the flow.
 *
 * @param queues - how many nicQueues the interface can have
 */
export function queueCounterSpec(flow: CountedFlow, queues: number): ProgramSpec {
  const { port, sourceAddress, sourcePort } = flow;
  const source =
    sourceAddress === undefined ? undefined : destinationsOf({ port, address: sourceAddress })[0];
  const destinations = destinationsOf(flow).filter((each) => !source || each.version === source.version);
  if (destinations.length === 0) {
    throw new TypeError(`Cannot count flow to port ${port}: want one IP version, got IPv4 and IPv6`);
  }
  if (sourcePort !== undefined && !(Number.isInteger(sourcePort) && sourcePort > 0 && sourcePort < 65536)) {
    throw new RangeError(`Cannot count flow of source port ${sourcePort}: want an integer from 1 to 65535`);
  }
  const a = new Assembler();
  matchFlows(a, destinations, 2);
  a.label('ours');
  if (source?.address) matchSourceAddress(a, source.address);
  if (sourcePort !== undefined) matchSourcePort(a, sourcePort);
  count(a);
  for (const outcome of FLOW_OUTCOMES) a.label(outcome);
  a.mov(r0, XDP_PASS);
  a.exit();
  return {
    name: 'queue_counter',
    type: 'xdp',
    assembly: a.assemble(),
    maps: [{ name: COUNTS, type: 'array', keyLen: 4, valueLen: 8, capacity: queues }],
  };
}

/** Reads the counts of a program of {@link queueCounterSpec}, by nicQueue. Costs a system call for each. [frames] */
export function readQueueCounts(map: BpfMap): number[] {
  const value = new DataView(new ArrayBuffer(8));
  return Array.from({ length: map.spec.capacity }, (_, queue) =>
    Number(map.lookup(queue, value)!.getBigUint64(0, true)),
  );
}

// What matchFlows() leaves: the context in r6, the UDP header at r7, the IP header at r9.

function matchSourceAddress(a: Assembler, source: Uint8Array): void {
  const words = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const start = source.length === 4 ? 12 : 8;
  for (let at = 0; at < source.length; at += 4) {
    a.comment('source address');
    a.ldx('u32', r3, r9, start + at);
    a.jne32(r3, words.getInt32(at, true), 'otherFlow');
  }
}

function matchSourcePort(a: Assembler, port: number): void {
  a.comment('source port');
  a.ldx('u16', r3, r7, 0);
  a.jne(r3, ((port & 0xff) << 8) | (port >> 8), 'otherFlow');
}

/** Counts the frame; two CPUs may serve a nicQueue in turns, hence atomically. */
function count(a: Assembler): void {
  a.ldx('u32', r1, r6, xdp_md.rx_queue_index);
  a.stx('u32', r10, -4, r1);
  a.ldMap(r1, COUNTS);
  a.mov(r2, r10);
  a.add(r2, -4);
  a.comment('bpf_map_lookup_elem: the count of this nicQueue');
  a.call(BPF_FUNC_map_lookup_elem);
  a.jeq(r0, 0, 'otherFlow');
  a.mov(r1, 1);
  a.atomic('add', 'u64', r0, 0, r1);
}
