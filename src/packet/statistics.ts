/** Indexes of a socket's own counters, in a Float64Array with a single writer. */
export const PacketCounter = {
  /** frames received */
  rxFrames: 0,
  /** bytes received */
  rxBytes: 1,
  /** received frames that were longer than their slot, and are lost */
  truncated: 2,
  /** frames put on the tx ring */
  txFrames: 3,
  /** bytes put on the tx ring */
  txBytes: 4,
  /** descriptors that tx() left with the caller */
  txRefused: 5,
  /** frames that the kernel took off the tx ring and would not send, as longer than the interface's MTU allows */
  txInvalid: 6,
  /** system calls made to have frames sent */
  txWakeups: 7,
  /** system calls that could not send at the time */
  txBusy: 8,
  /** frames that the kernel dropped because the next slot was not its own */
  rxRingFull: 9,
} as const;

/** How many counters {@link PacketCounter} has. */
export const PACKET_COUNTERS: number = Object.keys(PacketCounter).length;

/** What a socket counted since it was opened, by the names of {@link PacketCounter}. */
export type PacketStatistics = Record<keyof typeof PacketCounter, number>;

/** Names the counters. */
export function namedCounters(counters: Float64Array): PacketStatistics {
  const named = {} as PacketStatistics;
  for (const name of Object.keys(PacketCounter) as (keyof PacketStatistics)[]) {
    named[name] = counters[PacketCounter[name]]!;
  }
  return named;
}
