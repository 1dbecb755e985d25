/** Indexes of what the queues of an interface count. */
export const MemifCounter = {
  rxFrames: 0,
  rxBytes: 1,
  txFrames: 2,
  txBytes: 3,
  /** frames of more pieces than the caller's burst, the pool or the ring has */
  tooLong: 4,
  /** frames on the ring to the server that it never took, or not to their end */
  unsent: 5,
  /** frames that tx() left with the caller */
  txRefused: 6,
  /** signals to a peer that sleeps */
  signals: 7,
} as const;

/** How many counters {@link MemifCounter} has. */
export const MEMIF_COUNTERS: number = Object.keys(MemifCounter).length;
