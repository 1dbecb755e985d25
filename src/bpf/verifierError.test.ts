import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { SystemError } from '../sys/index.ts';
import { Assembler } from './assembler.ts';
import type { ProgramSpec } from './programSpec.ts';
import { r0, r1, r2 } from './registers.ts';
import { readVerifierLog, VerifierError } from './verifierError.ts';

const packetLog = `func#0 @0
0: R1=ctx() R10=fp0
0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)
1: (69) r0 = *(u16 *)(r2 +12)
invalid access to packet, off=12 size=2, R2(id=0,off=12,r=0)
R2 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

function packetProgram(): ProgramSpec {
  const a = new Assembler();
  a.ldx('u32', r2, r1);
  a.label('parse');
  a.comment('EtherType');
  a.ldx('u16', r0, r2, 12);
  a.exit();
  return { name: 'unchecked', type: 'xdp', assembly: a.assemble() };
}

test('readVerifierLog() finds the last meaningful line, the lines before it and the slot', () => {
  assert.deepEqual(readVerifierLog(packetLog), {
    reason: 'R2 offset is outside of the packet',
    omitted: 6,
    slot: 1,
  });
});

test('readVerifierLog() takes the slot from the verdict when that names one', () => {
  const log = '0: (b7) r0 = 0\nunreachable insn 7\nprocessed 0 insns (limit 1000000)\n';
  assert.deepEqual(readVerifierLog(log), { reason: 'unreachable insn 7', omitted: 2, slot: 7 });
});

test('readVerifierLog() knows a verdict without a slot', () => {
  assert.deepEqual(readVerifierLog('combined stack size of 2 calls is 544. Too large\n'), {
    reason: 'combined stack size of 2 calls is 544. Too large',
    omitted: 0,
    slot: undefined,
  });
});

test('readVerifierLog() finds nothing in a log of statistics, or in none', () => {
  assert.equal(readVerifierLog('processed 0 insns (limit 1000000)\n\n'), undefined);
  assert.equal(readVerifierLog(''), undefined);
});

test('VerifierError says in one line what, why, and at which assembler line', () => {
  const verdict = readVerifierLog(packetLog)!;
  const error = new VerifierError(packetProgram(), constants.errno.EACCES, packetLog, verdict);
  assert.ok(error instanceof SystemError);
  assert.equal(
    error.message,
    'Cannot load BPF program unchecked: EACCES. R2 offset is outside of the packet (6 lines omitted), ' +
      'at parse: r0 = *(u16 *)(r2 + 12) ; EtherType',
  );
  assert.equal(error.line, 'parse: r0 = *(u16 *)(r2 + 12) ; EtherType');
  assert.equal(error.log, packetLog);
  assert.equal(error.syscall, 'bpf(BPF_PROG_LOAD)');
});

test('VerifierError leaves the line out when the log names none, or one that is not there', () => {
  for (const slot of [undefined, 3]) {
    const error = new VerifierError(packetProgram(), 22, 'no\n', { reason: 'no', omitted: 0, slot });
    assert.equal(error.line, undefined);
    assert.equal(error.message, 'Cannot load BPF program unchecked: EINVAL. no (0 lines omitted)');
  }
});
