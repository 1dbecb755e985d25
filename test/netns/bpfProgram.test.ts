import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import {
  Assembler,
  BpfMap,
  BpfProgram,
  bpfJit,
  flowProgramSpec,
  type MapSpec,
  type ProgramSpec,
  programInfo,
  r0,
  r1,
  r2,
  r3,
  r10,
  unprivilegedBpf,
  VerifierError,
} from '../../src/bpf/index.ts';
import { leakedFds, link, withNetns } from '../../src/sys/index.ts';
import { BPF_FUNC_map_lookup_elem, xdp_md } from '../../src/sys/uapi/index.ts';
import { requireRoot } from '../support/requirements.ts';
import { testVeth } from '../support/vethPair.ts';

/** What `assert.throws` compares a SystemError with. */
const systemError = (code: string, message: RegExp): object => ({ name: 'SystemError', code, message });

const prices: MapSpec = { name: 'prices', type: 'hash', keyLen: 4, valueLen: 4, capacity: 2 };

/** Counts its runs in an array; returns its rx queue, or the new first byte of the frame. */
function countingProgram(): ProgramSpec {
  const a = new Assembler();
  a.ldMapValue(r3, 'runs', 8);
  a.mov(r2, 1);
  a.atomic('add', 'u64', r3, 0, r2);
  a.ldx('u32', r0, r1, xdp_md.rx_queue_index);
  a.exit();
  const runs: MapSpec = { name: 'runs', type: 'array', keyLen: 4, valueLen: 16, capacity: 1 };
  return { name: 'counting', type: 'xdp', assembly: a.assemble(), maps: [runs] };
}

test('BpfProgram creates its maps, runs, and answers from the context', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth({ queues: 2 });
  using program = BpfProgram.load(countingProgram());
  const frame = new Uint8Array(60).fill(1);
  assert.equal(program.testRun({ frame }).returned, 0);
  withNetns(veth.a.namespace, () => {
    const ifindex = link(veth.a.name).index;
    assert.equal(program.testRun({ frame, ifindex, rxQueue: 1, repeat: 5 }).returned, 1);
    assert.throws(
      () => program.testRun({ frame, ifindex, rxQueue: 2 }),
      systemError('EINVAL', /Cannot test-run BPF program counting/),
    );
  });
  const runs = program.map('runs').lookup(0, new BigUint64Array(2));
  assert.deepEqual(runs, BigUint64Array.of(0n, 6n));
  assert.throws(() => program.testRun({ frame: new Uint8Array(13) }), systemError('EINVAL', /counting/));
  assert.throws(() => program.map('walks'), /Cannot find map 'walks' of BPF program counting/);
});

test('BpfProgram.testRun() returns the frame as the program left it', (t) => {
  if (!requireRoot(t)) return;
  const a = new Assembler();
  a.ldx('u32', r2, r1, xdp_md.data);
  a.ldx('u32', r3, r1, xdp_md.data_end);
  a.mov(r0, r2);
  a.add(r0, 14);
  a.jgt(r0, r3, 'short');
  a.st('u8', r2, 0, 9);
  a.label('short');
  a.mov(r0, 2);
  a.exit();
  using program = BpfProgram.load({ name: 'writing', type: 'xdp', assembly: a.assemble() });
  const frame = new Uint8Array(14);
  const result = program.testRun({ frame });
  assert.deepEqual(result.frame, new Uint8Array(14).fill(9, 0, 1));
  assert.deepEqual(frame, new Uint8Array(14));
});

test('BpfProgram uses maps that it is given and leaves them open', (t) => {
  if (!requireRoot(t)) return;
  const spec = countingProgram();
  using runs = BpfMap.create(spec.maps![0]!);
  using program = BpfProgram.load(spec, [runs]);
  assert.equal(program.map('runs'), runs);
  program.testRun({ frame: new Uint8Array(14) });
  program.close();
  assert.equal(runs.lookup(0, new BigUint64Array(2))?.[1], 1n);
});

test('BpfProgram.load() refuses a program that refers to a map it does not have, and closes the others', (t) => {
  if (!requireRoot(t)) return;
  const a = new Assembler();
  a.ldMap(r1, 'missing');
  a.exit();
  const spec: ProgramSpec = { name: 'mapless', type: 'xdp', assembly: a.assemble(), maps: [prices] };
  assert.throws(() => BpfProgram.load(spec), /Cannot load BPF program mapless: it has no map 'missing'/);
  assert.deepEqual(leakedFds(), []);
});

test('programInfo() tells who loaded a program, when, and its maps', (t) => {
  if (!requireRoot(t)) return;
  using program = BpfProgram.load(countingProgram());
  const info = programInfo(program.info().id);
  assert.deepEqual({ ...info, wallLoadedAt: 0 }, { ...program.info(), wallLoadedAt: 0 });
  assert.equal(info.name, 'counting');
  assert.match(info.tag, /^[0-9a-f]{16}$/);
  assert.equal(info.mapIds.length, 1);
  assert.equal(info.createdByUid, process.getuid?.());
  assert.ok(Math.abs(Date.now() - info.wallLoadedAt.getTime()) < 5000, String(info.wallLoadedAt));
});

test('programInfo() of an id that nobody has is ENOENT', (t) => {
  if (!requireRoot(t)) return;
  assert.throws(
    () => programInfo(0x7fffffff),
    systemError('ENOENT', /^Cannot open BPF program 2147483647: ENOENT/),
  );
});

test('bpfJit() and unprivilegedBpf() know the settings of this kernel', (t) => {
  if (!requireRoot(t)) return;
  assert.notEqual(bpfJit(), 'unknown');
  assert.notEqual(unprivilegedBpf(), 'unknown');
});

// ---- Verifier errors ------------------------------------------------------------------------------------------------

function verifierErrorOf(spec: ProgramSpec): VerifierError {
  try {
    BpfProgram.load(spec).close();
  } catch (error) {
    assert.ok(error instanceof VerifierError, String(error));
    return error;
  }
  return assert.fail('the verifier took it');
}

test('VerifierError shows the last line of the log and the assembler line', (t) => {
  if (!requireRoot(t)) return;
  const a = new Assembler();
  a.ldx('u32', r2, r1, xdp_md.data);
  a.label('parse');
  a.mov(r0, 2);
  a.comment('EtherType, unchecked');
  a.ldx('u16', r3, r2, 12);
  a.exit();
  const error = verifierErrorOf({ name: 'unchecked', type: 'xdp', assembly: a.assemble() });
  assert.equal(error.code, 'EACCES');
  assert.equal(error.line, 'parse+1: r3 = *(u16 *)(r2 + 12) ; EtherType, unchecked');
  assert.match(
    error.message,
    /^Cannot load BPF program unchecked: EACCES\. R2 offset is outside of the packet \(\d+ lines omitted\), at parse\+1: r3 = /,
  );
  assert.match(error.log, /invalid access to packet, off=12 size=2/);
  assert.deepEqual(leakedFds(), []);
});

test('VerifierError finds the assembler line of a jump into nowhere and of a value that may be null', (t) => {
  if (!requireRoot(t)) return;
  const unreachable = new Assembler();
  unreachable.mov(r0, 2);
  unreachable.exit();
  unreachable.label('lost');
  unreachable.exit();
  assert.equal(
    verifierErrorOf({ name: 'lost', type: 'xdp', assembly: unreachable.assemble() }).line,
    'lost: exit',
  );

  const nullable = new Assembler();
  nullable.st('u32', r10, -4, 0);
  nullable.mov(r2, r10);
  nullable.add(r2, -4);
  nullable.ldMap(r1, 'prices');
  nullable.call(BPF_FUNC_map_lookup_elem);
  nullable.comment('without asking');
  nullable.ldx('u32', r0, r0);
  nullable.exit();
  const maps = [prices];
  const error = verifierErrorOf({ name: 'nullable', type: 'xdp', assembly: nullable.assemble(), maps });
  assert.equal(error.line, '#6: r0 = *(u32 *)(r0 + 0) ; without asking');
  assert.match(error.message, /R0 invalid mem access 'map_value_or_null'/);
});

test('VerifierError keeps a log that is longer than the first buffer for it', (t) => {
  if (!requireRoot(t)) return;
  const a = new Assembler();
  for (let i = 0; i < 3000; i++) a.mov(r0, i);
  a.ldx('u8', r0, r0);
  a.exit();
  const error = verifierErrorOf({ name: 'long', type: 'xdp', assembly: a.assemble() });
  assert.ok(error.log.length > 1 << 16, String(error.log.length));
  assert.match(error.log, /\n0: \(b7\) r0 = 0 /);
  assert.match(error.message, /R0 invalid mem access 'scalar'.*at #3000: /);
});

// ---- Leaks ---------------------------------------------------------------------------------------------------------

test('loading and closing a program with its maps 1,000 times leaves no descriptor', (t) => {
  if (!requireRoot(t)) return;
  const spec = flowProgramSpec({ flows: [{ port: 9000 }], queues: 1 });
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 1000; i++) BpfProgram.load(spec).close();
  assert.deepEqual(leakedFds(), []);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});
