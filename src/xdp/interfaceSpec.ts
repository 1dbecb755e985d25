import type { FlowMetadata, FlowSpec } from '../bpf/index.ts';
import type { BusyPollSpec } from '../sys/index.ts';
import type { XdpCopyMode } from './bindQueue.ts';
import type { Umem } from './umem.ts';

/** Which program to attach to an interface, and how; plain data. */
export interface XdpProgramSpec {
  /** in the calling thread's network namespace */
  interface: string;
  /** the datagrams that are ours; everything else passes to the kernel */
  flows: readonly FlowSpec[];
  /** VLAN tags that a frame of ours may carry; default 2 */
  maxVlanTags?: 0 | 1 | 2;
  /** where the program runs; `auto` falls back to generic and reports it; default `auto` */
  attach?: 'auto' | 'native' | 'generic';
  /** frames may lie over several chunks, as jumbo frames do; default false. @since Linux 6.6 */
  multiBuffer?: boolean;
  /**
   * what to tell of each frame, in the columns of a burst that has them: time, hash, VLAN tag; what the driver has not
   * is reported. Default nothing. @since Linux 6.3 for what the driver is asked
   */
  metadata?: FlowMetadata;
  /** detach an XDP program that is there already, which is then named in the reasons; default false: refuse */
  replace?: boolean;
  /** throw instead of running weaker than asked; default false */
  strict?: boolean;
}

/** What to open on an interface; plain data but for the umem. */
export interface XdpInterfaceSpec extends XdpProgramSpec {
  /** nicQueues to open; default all of them. A flow may arrive on any */
  queues?: 'all' | readonly number[];
  /**
   * how frames get into the umem; `auto` tries zero-copy and falls back to copy, reported. Under `strict` copy has to be
   * asked for by name; default `auto`
   */
  mode?: 'auto' | XdpCopyMode;
  /** join the program of an {@link XdpGroup}, attached in this process, instead of attaching one: its `socketsFd` */
  group?: number;
  /**
   * packet memory that this interface shares with others; made for each nicQueue when absent. It has been made as it is:
   * options of the memory are refused beside it
   */
  umem?: Umem;
  /** of each socket, a power of two; default 2048 [descriptors] */
  rxSize?: number;
  /** of each socket, a power of two; default 2048 [descriptors] */
  txSize?: number;
  /** 2048 or 4096, and with `unaligned` any size in between; default 2048 [bytes] */
  chunkLen?: number;
  /** chunks need not be a power of two long; default false */
  unaligned?: boolean;
  /** free bytes before each received frame; default 0 [bytes] */
  headroom?: number;
  /** ask for huge pages; a refusal is reported, and under `strict` thrown; default false */
  hugePages?: boolean;
  /** room before each sent frame for what is asked of the port, see {@link TxMetadata}; default false */
  txMetadata?: boolean;
  /** leave sent frames for {@link FrameRings.completed}, to read their timestamps; default false */
  keepCompletions?: boolean;
  /**
   * have the driver polled by the lane's own rx(), instead of by the kernel's softirqs: options of the sockets, and of
   * the interface while it is open; default false. @since Linux 5.11
   */
  busyPoll?: boolean | BusyPollSpec;
  /** let in frames for any address; default false */
  promiscuous?: boolean;
  /** multicast groups to join, which the kernel reports to the network; a source makes it source-specific */
  groups?: readonly (string | { readonly group: string; readonly source?: string })[];
  /** have the NIC steer the flows to the one queue that is opened, by rules that are removed at close; default false */
  steer?: boolean;
  /** prove the owner of every chunk at every step; slow; default false */
  debug?: boolean;
}

/** A nicQueue that was asked for and could not be opened. Its frames of ours go to the kernel. */
export interface UnopenedQueue {
  readonly queue: number;
  readonly reason: string;
}
