/**
 * What a peer can say through shared memory that cannot be true; the codes that queues return.
 *
 * A peer is another program with its hands in our rings. One that lies loses its connection.
 */
export const MemifLie = {
  /** its cursor is beyond ours, or further than the ring is long */
  cursor: -1,
  /** a descriptor names memory that is in none of the regions, or more than a buffer holds */
  bounds: -2,
  /** a frame without a last piece */
  chain: -3,
} as const;

const WORDS: Readonly<Record<number, string>> = {
  [MemifLie.cursor]: 'wrong cursor',
  [MemifLie.bounds]: 'buffer out of bounds',
  [MemifLie.chain]: 'frame without an end',
};

/** Says a lie in words, for the one who told it. */
export function describeLie(code: number): string {
  return WORDS[code] ?? `broken rule ${code}`;
}
