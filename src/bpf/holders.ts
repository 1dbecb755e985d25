import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that has a descriptor of a BPF object. */
export interface BpfHolder {
  readonly pid: number;
  /** the process's name for itself: `node` */
  readonly name: string;
}

/** What descriptors of BPF objects are called: a link's creator gets the first name, who opens it later the second. */
const LINK_NAMES = ['anon_inode:bpf_link', 'anon_inode:bpf-link'];
const PROGRAM_NAMES = ['anon_inode:bpf-prog'];

/**
 * Returns the processes that hold one of these links, as far as this one may see: those of its PID namespace, and
 * without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH its own user's. A link that is pinned needs no process.
 *
 * @source proc_pid_fdinfo(5); kernel/bpf/syscall.c, bpf_link_prime and bpf_link_new_fd
 */
export function linkHolders(ids: readonly number[]): BpfHolder[] {
  return holders(LINK_NAMES, 'link_id', new Set(ids));
}

/** Returns the processes that hold this program, as {@link linkHolders}. */
export function programHolders(id: number): BpfHolder[] {
  return holders(PROGRAM_NAMES, 'prog_id', new Set([id]));
}

function holders(names: readonly string[], field: string, ids: ReadonlySet<number>): BpfHolder[] {
  return listed('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || !holds(pid, names, field, ids)) return [];
    return [{ pid: Number(pid), name: readOr(`/proc/${pid}/comm`, '?').trim() }];
  });
}

function holds(pid: string, names: readonly string[], field: string, ids: ReadonlySet<number>): boolean {
  return listed(`/proc/${pid}/fd`).some((fd) => {
    if (!names.includes(targetOf(`/proc/${pid}/fd/${fd}`))) return false;
    const line = readOr(`/proc/${pid}/fdinfo/${fd}`, '')
      .split('\n')
      .find((each) => each.startsWith(`${field}:`));
    return line !== undefined && ids.has(Number(line.slice(field.length + 1)));
  });
}

// Processes and descriptors come and go while they are read, and some are not ours to look into: those hold nothing.

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
