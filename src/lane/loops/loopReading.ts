/** How far a loop is, all its ports together. */
export interface LoopReading {
  /** when this was read [monotonic ns] */
  readonly atNs: number;
  readonly rxFrames: number;
  readonly rxBytes: number;
  readonly txFrames: number;
  readonly txBytes: number;
  /** system calls that woke the kernel; absent when no port makes any */
  readonly wakeups?: number;
  /** frames that went on without the VLAN tag that a NIC had taken off */
  readonly untagged: number;
  /** frames lost, by reason; reasons that did not occur are left out */
  readonly drops: Readonly<Record<string, number>>;
}

/** How a port of a loop runs. */
export interface LoopPortReport {
  readonly spec: string;
  /** the scheme: `xdp` */
  readonly via: string;
  /** frames reach us without the kernel's network stack */
  readonly accelerated: boolean;
  /** in words: `native mode, copy, 1 of 1 queues` */
  readonly mode: string;
}

/** How a loop runs. */
export interface LoopReport {
  /** when it began, with all counters at 0 [monotonic ns] */
  readonly startNs: number;
  readonly ports: readonly LoopPortReport[];
  /** frames are copied from one port to the other, which share no memory */
  readonly copies: boolean;
  /** one line for everything weaker than asked */
  readonly reasons: readonly string[];
}
