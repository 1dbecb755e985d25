import { constants } from 'node:os';
import { libc } from '../ffi/index.ts';
import { hintFor } from './hints.ts';

/** Linux codes that Node's table lacks, and the one of two for a number that manual pages and the kernel use. */
const codeByErrno = new Map<number, string>([
  [constants.errno.EAGAIN, 'EAGAIN'],
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  [524, 'ENOTSUPP'],
  [66, 'EREMOTE'],
  [77, 'EBADFD'],
  [108, 'ESHUTDOWN'],
  [123, 'ENOMEDIUM'],
]);
for (const [code, value] of Object.entries(constants.errno)) {
  if (!codeByErrno.has(value)) codeByErrno.set(value, code);
}

/** Returns the name of a positive errno: `errnoName(16)` is `'EBUSY'`. Unknown values read `'E524'`. */
export function errnoName(errno: number): string {
  return codeByErrno.get(errno) ?? `E${errno}`;
}

/** What a {@link SystemError} is made of. */
export interface SystemErrorInit {
  /** the system call, with its command where it has many: `bind(AF_XDP)`, `bpf(BPF_PROG_LOAD)` */
  syscall: string;
  /** positive errno; that of the last libc call of this thread when absent */
  errno?: number;
  /** what it was done to: `eth0 queue 3` */
  subject?: string;
  /** what the kernel said in words, as netlink does */
  detail?: string;
  /** replaces the hint of the table */
  hint?: string;
  /** the error that this one explains */
  cause?: unknown;
}

/**
 * A system call that failed, in Node's convention: `code`, negative `errno`, `syscall`; beside them `subject` (what it
 * was done to) and `hint` (the likely cause and the command that mends it, when the evidence fits).
 */
export class SystemError extends Error {
  override readonly name: string = 'SystemError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly subject: string | undefined;
  readonly hint: string | undefined;

  /** @param action - what was being done, without the subject: `Cannot bind AF_XDP socket to` */
  constructor(action: string, init: SystemErrorInit) {
    const errno = init.errno ?? libc.errno();
    const code = errnoName(errno);
    const hint = init.hint ?? hintFor(init.syscall, code);
    const what = init.subject === undefined ? action : `${action} ${init.subject}`;
    const detail = init.detail === undefined ? '' : ` (${init.detail})`;
    super(
      `${what}: ${code}${detail}${hint === undefined ? '' : `. ${hint}`}`,
      init.cause === undefined ? undefined : { cause: init.cause },
    );
    this.code = code;
    this.errno = -errno;
    this.syscall = init.syscall;
    this.subject = init.subject;
    this.hint = hint;
  }
}

/** Something that this kernel, driver or machine cannot do: names the feature and the kernel that has it. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError';
  readonly feature: string;
  readonly since: string;

  /** @param since - the first kernel that has the feature, or what else it needs: `Linux 5.4` */
  constructor(feature: string, since: string, detail?: string) {
    super(`${feature} is not available here (needs ${since})${detail === undefined ? '' : `: ${detail}`}`);
    this.feature = feature;
    this.since = since;
  }
}

/** Returns `result`, or throws the {@link SystemError} that `errno` names when it is negative. */
export function check(result: number, action: string, syscall: string, subject?: string): number {
  if (result >= 0) return result;
  throw new SystemError(action, subject === undefined ? { syscall } : { syscall, subject });
}
