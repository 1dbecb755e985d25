/** A 64-bit immediate load whose value is a map, known only when the program is loaded. */
export interface MapReference {
  /** which instruction slot is patched with the map's descriptor */
  readonly slot: number;
  /** the map's name in the {@link ProgramSpec} */
  readonly map: string;
}

/** A call of a function of the kernel (kfunc), whose BTF id is known only when the program is loaded. */
export interface FunctionReference {
  /** which instruction slot is patched with the id */
  readonly slot: number;
  /** the function's name in the kernel */
  readonly name: string;
  /** the first kernel that has it: `Linux 6.3` */
  readonly since: string;
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
  /** in the order of their slots */
  readonly functionReferences: readonly FunctionReference[];
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
