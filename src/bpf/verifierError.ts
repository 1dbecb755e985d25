import { SystemError } from '../sys/index.ts';
import { placeOf } from './assembly.ts';
import { formatSlot } from './disassemble.ts';
import { SLOT_LEN } from './instruction.ts';
import type { ProgramSpec } from './programSpec.ts';

/** What the end of a verifier log says. */
export interface VerifierVerdict {
  /** the last meaningful line: `R2 invalid mem access 'scalar'` */
  readonly reason: string;
  /** how many other lines the log has */
  readonly omitted: number;
  /** the instruction slot that the verifier gave up at, where the log tells */
  readonly slot: number | undefined;
}

/** Statistics that the verifier appends to its verdict. */
const STATISTICS = /^(processed \d+ insns|verification time|stack depth|mark_precise|$)/;
const TRACED_SLOT = /^(\d+): \([0-9a-f]{2}\)/;
const NAMED_SLOT = /\binsn (\d+)/;

/** Finds the verdict in a verifier log; undefined when the log says nothing. */
export function readVerifierLog(log: string): VerifierVerdict | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const reason = lines.findLast((line) => !STATISTICS.test(line));
  if (reason === undefined) return undefined;
  const traced = lines.findLast((line) => TRACED_SLOT.test(line));
  const slot = NAMED_SLOT.exec(reason)?.[1] ?? TRACED_SLOT.exec(traced ?? '')?.[1];
  return {
    reason: reason.trim(),
    omitted: lines.length - 1,
    slot: slot === undefined ? undefined : Number(slot),
  };
}

/** What the verifier refuses to the unprivileged only, it says so; the capability it does not name. */
function remedyFor(reason: string): string {
  if (!reason.includes('prohibited for !root')) return '';
  return '. The verifier allows this with CAP_PERFMON: run as root, or grant it with `setcap cap_perfmon,…+ep NODE`';
}

/**
 * The verifier refused a program.
 *
 * The message is one line: the verdict, and the assembler line that the verifier gave up at; {@link VerifierError.log}
 * has everything that it said.
 */
export class VerifierError extends SystemError {
  override readonly name: string = 'VerifierError';
  /** the verifier's log in full */
  readonly log: string;
  /** the assembler line in question, with its place and comment: `ipv4+3: r4 = *(u8 *)(r7 + 9) ; protocol` */
  readonly line: string | undefined;

  constructor(spec: ProgramSpec, errno: number, log: string, verdict: VerifierVerdict) {
    const line = lineAt(spec, verdict.slot);
    const where = line === undefined ? '' : `, at ${line}`;
    super('Cannot load BPF program', {
      syscall: 'bpf(BPF_PROG_LOAD)',
      errno,
      subject: spec.name,
      hint: `${verdict.reason} (${verdict.omitted} lines omitted)${where}${remedyFor(verdict.reason)}`,
    });
    this.log = log;
    this.line = line;
  }
}

function lineAt({ assembly }: ProgramSpec, slot: number | undefined): string | undefined {
  if (slot === undefined || slot >= assembly.code.length / SLOT_LEN) return undefined;
  return `${placeOf(assembly.labels, slot)}: ${formatSlot(assembly, slot)}`;
}
