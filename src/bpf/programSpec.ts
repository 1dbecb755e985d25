import type { Assembly } from './assembly.ts';
import type { MapSpec } from './map.ts';

/** Kinds of programs, as bpftool names them. */
export type ProgramType = 'xdp' | 'socket_filter';

/** What a {@link BpfProgram} is loaded from: plain data, built without privileges. */
export interface ProgramSpec {
  /** 1 to 15 letters, digits, `_` and `.` */
  readonly name: string;
  readonly type: ProgramType;
  readonly assembly: Assembly;
  /** the maps that its instructions refer to by name */
  readonly maps?: readonly MapSpec[];
  /** `BPF_F_…` of a load */
  readonly flags?: number;
  /** helpers reserved for the GPL are refused to programs of another licence; default `MIT` */
  readonly license?: string;
}
