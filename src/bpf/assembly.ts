/** A 64-bit immediate load whose value is a map, known only when the program is loaded. */
export interface MapReference {
  /** which instruction slot is patched with the map's descriptor */
  readonly slot: number;
  /** the map's name in the {@link ProgramSpec} */
  readonly map: string;
}

/**
 * Assembled instructions with all that is needed to load them and to explain them: plain data, built without
 * privileges.
 */
export interface Assembly {
  /** encoded instructions [8 bytes a slot] */
  readonly code: Uint8Array;
  /** in the order of their slots */
  readonly mapReferences: readonly MapReference[];
  /** label to the slot that it stands before, in the order of their slots */
  readonly labels: ReadonlyMap<string, number>;
  /** slot to the comment written beside it */
  readonly comments: ReadonlyMap<number, string>;
}

/** Tells where a slot is, for humans: `ipv4+3`, or `#7` before the first label. */
export function placeOf(labels: ReadonlyMap<string, number>, slot: number): string {
  let place = `#${slot}`;
  for (const [label, start] of labels) {
    if (start > slot) break;
    place = start === slot ? label : `${label}+${slot - start}`;
  }
  return place;
}
