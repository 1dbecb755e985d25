import type { Assembly } from './assembly.ts';
import type { MapSpec } from './map.ts';

/** Kinds of programs, as bpftool names them. */
export type ProgramType = 'xdp' | 'socket_filter' | 'sched_cls';

/** What a {@link BpfProgram} is loaded from: plain data, built without privileges. */
export interface ProgramSpec {
  /** 1 to 15 letters, digits, `_` and `.` */
  readonly name: string;
  readonly type: ProgramType;
  readonly assembly: Assembly;
  /** the maps that its instructions refer to by name */
  readonly maps?: readonly MapSpec[];
  /**
   * index of the interface, in the namespace of the thread that loads, whose driver answers the calls of metadata
   * functions; the program can then be attached only there, in native mode (since Linux 6.3)
   */
  readonly boundTo?: number;
  /**
   * takes frames that lie in several buffers, of which it sees the first; without it a driver refuses to attach where the
   * mtu allows such frames; default false (since Linux 5.18)
   */
  readonly frags?: boolean;
  /** further `BPF_F_…` of a load */
  readonly flags?: number;
  /** helpers reserved for the GPL, and all functions of the kernel, are refused to others; default `MIT` */
  readonly license?: string;
}
