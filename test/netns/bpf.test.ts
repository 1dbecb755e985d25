import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  Assembler,
  BpfMap,
  BpfProgram,
  bpfJit,
  type FlowCounters,
  flowCountersSpec,
  flowProgramSpec,
  type MapSpec,
  type ProgramSpec,
  possibleCpus,
  programInfo,
  r0,
  r1,
  r2,
  r3,
  r10,
  readFlowCounters,
  unprivilegedBpf,
  VerifierError,
  verdictProgramSpec,
  XdpLink,
} from '../../src/bpf/index.ts';
import { libc } from '../../src/ffi/index.ts';
import {
  createVethPair,
  Fd,
  type Link,
  leakedFds,
  link,
  NetworkNamespace,
  SystemError,
  setLink,
  withNetns,
} from '../../src/sys/index.ts';
import { linkMessage } from '../../src/sys/netlink/linkChange.ts';
import { withNetlink } from '../../src/sys/netlink/socket.ts';
import { BPF_FUNC_map_lookup_elem, IFLA_XDP, xdp_md } from '../../src/sys/uapi/index.ts';
import { requireRoot } from '../support/requirements.ts';

/** @source linux/fcntl.h */
const F_DUPFD_CLOEXEC = 1030;
/** @source linux/if_link.h */
const IFLA_XDP_FD = 1;

/** Runs `fn` in a namespace of its own with a veth pair, both ends up. */
function withVeth(t: TestContext, fn: (here: Link, there: Link) => void): void {
  if (!requireRoot(t)) return;
  using namespace = NetworkNamespace.create();
  withNetns(namespace, () => {
    createVethPair({ name: 'here', peerName: 'there', rxQueues: 2, txQueues: 2 });
    setLink('here', { up: true });
    setLink('there', { up: true });
    fn(link('here'), link('there'));
  });
}

const isSystemError =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof SystemError && error.code === code && message.test(error.message);

const hash: MapSpec = { name: 'prices', type: 'hash', keyLen: 8, valueLen: 4, capacity: 2 };

// ---- Maps -----------------------------------------------------------------------------------------------------------

test('BpfMap looks up what was written, and says when there is nothing', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const key = Uint32Array.of(1, 2);
  assert.equal(map.lookup(key), undefined);
  map.update(key, 7);
  assert.deepEqual(map.lookup(key), Uint8Array.of(7, 0, 0, 0));
  const out = new Uint32Array(1);
  assert.equal(map.lookup(key, out), out);
  assert.deepEqual(out, Uint32Array.of(7));
  assert.equal(map.delete(key), true);
  assert.equal(map.delete(key), false);
  assert.equal(map.lookup(key), undefined);
});

test('BpfMap.update() keeps to create and replace, and to the capacity', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const [first, second, third] = [Uint32Array.of(1, 0), Uint32Array.of(2, 0), Uint32Array.of(3, 0)];
  assert.throws(
    () => map.update(first, 1, 'replace'),
    isSystemError('ENOENT', /^Cannot write BPF map prices: ENOENT/),
  );
  map.update(first, 1, 'create');
  assert.throws(() => map.update(first, 2, 'create'), isSystemError('EEXIST', /prices/));
  map.update(first, 2, 'replace');
  map.update(second, 2);
  assert.throws(() => map.update(third, 3), isSystemError('E2BIG', /prices/));
});

test('BpfMap refuses keys and values of the wrong length before the kernel reads them', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create(hash);
  const key = new Uint8Array(8);
  assert.throws(() => map.lookup(1), /Cannot use 4 bytes as key of BPF map prices: it has 8/);
  assert.throws(
    () => map.update(key, new Uint8Array(5)),
    /Cannot use 5 bytes as value of BPF map prices: it has 4/,
  );
  assert.throws(() => map.lookup(key, new Uint8Array(3)), /Cannot use 3 bytes as value/);
  assert.throws(() => map.update(key, -1), /Cannot use -1 as value of BPF map prices: it must be a u32/);
});

test('a per-CPU array holds a value for each possible CPU', (t) => {
  if (!requireRoot(t)) return;
  using map = BpfMap.create({ name: 'counts', type: 'percpu_array', keyLen: 4, valueLen: 4, capacity: 3 });
  assert.equal(map.entryLen, 8 * possibleCpus());
  const written = new Uint32Array(2 * possibleCpus()).map((_, i) => (i % 2 === 0 ? i + 1 : 0));
  map.update(2, written);
  assert.deepEqual(map.lookup(2, new Uint32Array(written.length)), written);
  assert.throws(() => map.update(3, written), isSystemError('E2BIG', /Cannot write BPF map counts\[3\]/));
  assert.throws(() => map.delete(2), isSystemError('EINVAL', /Cannot delete BPF map counts\[2\]/));
});

test('a map that is closed cannot be used, and closing it again does nothing', (t) => {
  if (!requireRoot(t)) return;
  const map = BpfMap.create(hash);
  map.close();
  map.close();
  assert.throws(() => map.lookup(new Uint8Array(8)), /Cannot use BPF map prices: it is closed/);
});

test('BpfMap.create() refuses a name that the kernel would not take', (t) => {
  if (!requireRoot(t)) return;
  for (const name of ['', 'has space', 'sixteen_letters_', 'ümlaut']) {
    assert.throws(() => BpfMap.create({ ...hash, name }), TypeError, name);
  }
});

// ---- Programs -------------------------------------------------------------------------------------------------------

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
  withVeth(t, (here) => {
    using program = BpfProgram.load(countingProgram());
    const frame = new Uint8Array(60).fill(1);
    assert.equal(program.testRun({ frame }).returned, 0);
    assert.equal(program.testRun({ frame, ifindex: here.index, rxQueue: 1, repeat: 5 }).returned, 1);
    const runs = program.map('runs').lookup(0, new BigUint64Array(2));
    assert.deepEqual(runs, BigUint64Array.of(0n, 6n));
    assert.throws(
      () => program.testRun({ frame, ifindex: here.index, rxQueue: 2 }),
      isSystemError('EINVAL', /counting/),
    );
    assert.throws(() => program.testRun({ frame: new Uint8Array(13) }), isSystemError('EINVAL', /counting/));
    assert.throws(() => program.map('walks'), /Cannot find map 'walks' of BPF program counting/);
  });
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
  const spec: ProgramSpec = { name: 'mapless', type: 'xdp', assembly: a.assemble(), maps: [hash] };
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
    isSystemError('ENOENT', /^Cannot open BPF program 2147483647: ENOENT/),
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
  const maps = [{ ...hash, keyLen: 4 }];
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

// ---- Links ----------------------------------------------------------------------------------------------------------

test('XdpLink attaches in the driver of a veth, hands over to another program, and detaches on close', (t) => {
  withVeth(t, (here) => {
    using first = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    using second = BpfProgram.load(verdictProgramSpec('XDP_DROP'));
    const attached = XdpLink.attach(first, here);
    assert.equal(attached.mode, 'driver');
    assert.equal(attached.modeReason, undefined);
    assert.deepEqual(link('here').xdp, { mode: 'driver', programId: first.info().id });
    attached.update(second);
    assert.deepEqual(link('here').xdp, { mode: 'driver', programId: second.info().id });
    assert.equal(attached.info().ifindex, here.index);
    assert.equal(attached.info().programId, second.info().id);
    attached.close();
    attached.close();
    assert.equal(link('here').xdp, undefined);
    XdpLink.attach(first, here).close();
  });
});

test('XdpLink keeps the program attached when the program object is closed', (t) => {
  withVeth(t, (here) => {
    const program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    using attached = XdpLink.attach(program, here, 'generic');
    const { id } = program.info();
    program.close();
    assert.deepEqual(link('here').xdp, { mode: 'generic', programId: id });
    assert.equal(attached.info().programId, id);
  });
});

test('XdpLink detaches on close although another descriptor of it is open, as in a child between fork and exec', (t) => {
  withVeth(t, (here) => {
    using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    const attached = XdpLink.attach(program, here);
    const number = openDescriptors().find((fd) => fd.target === 'anon_inode:bpf_link')?.number;
    assert.ok(number !== undefined);
    using _inChild = new Fd(libc.fcntl(number, F_DUPFD_CLOEXEC, 0), 'copy of a link');
    attached.close();
    assert.equal(link('here').xdp, undefined);
  });
});

test('XdpLink falls back to generic mode and says why; in driver mode it refuses instead', (t) => {
  withVeth(t, () => {
    using program = BpfProgram.load(flowProgramSpec({ flows: [{ port: 9000 }], queues: 1 }));
    // The loopback of the test's own namespace: its driver has no XDP.
    const loopback = link('lo');
    using attached = XdpLink.attach(program, loopback);
    assert.equal(attached.mode, 'generic');
    assert.match(attached.modeReason ?? '', /^Cannot attach XDP program in driver mode to lo: EOPNOTSUPP/);
    attached.close();
    assert.throws(
      () => XdpLink.attach(program, loopback, 'driver'),
      isSystemError('EOPNOTSUPP', /^Cannot attach XDP program in driver mode to lo: EOPNOTSUPP/),
    );
  });
});

test('XdpLink names the program that holds the interface, in the same mode and in another', (t) => {
  withVeth(t, (here) => {
    using holder = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    using program = BpfProgram.load(flowProgramSpec({ flows: [{ port: 9000 }], queues: 1 }));
    using _held = XdpLink.attach(holder, here, 'driver');
    const year = new Date().getFullYear();
    const expected = new RegExp(
      `XDP program ${holder.info().id} \\(xdp_pass\\), loaded ${year}-.*Z by uid 0, is attached in driver mode: ` +
        'end the process that holds it, or detach it with `ip link set dev here xdp off`',
    );
    assert.throws(() => XdpLink.attach(program, here), isSystemError('EBUSY', expected));
    assert.throws(() => XdpLink.attach(program, here, 'generic'), isSystemError('EEXIST', expected));
  });
});

test('XdpLink names a program that was attached by netlink, without a link', (t) => {
  withVeth(t, (here) => {
    using holder = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    const message = linkMessage(0, here.index);
    message.nested(IFLA_XDP, () => message.u32(IFLA_XDP_FD, holder.fd));
    withNetlink((socket) =>
      socket.request({ action: 'Cannot attach', syscall: 'netlink(RTM_NEWLINK)' }, message),
    );
    const expected = new RegExp(`XDP program ${holder.info().id} \\(xdp_pass\\), .* attached in driver mode`);
    assert.throws(() => XdpLink.attach(holder, here), isSystemError('EBUSY', expected));
  });
});

test('XdpLink refuses an interface that is not there', (t) => {
  withVeth(t, () => {
    using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    assert.throws(
      () => XdpLink.attach(program, { name: 'gone0', index: 4711 }),
      isSystemError('ENODEV', /^Cannot attach XDP program in driver mode to gone0: ENODEV\. No interface/),
    );
  });
});

// ---- Frames that the kernel makes -----------------------------------------------------------------------------------

test('injectFrames() sends each frame through a veth pair to the XDP program at the other end', (t) => {
  withVeth(t, (here, there) => {
    using counting = BpfProgram.load(flowProgramSpec({ flows: [{ port: 9000 }], queues: 2 }));
    using _receives = XdpLink.attach(counting, there, 'driver');
    using injector = BpfProgram.load(verdictProgramSpec('XDP_TX'));
    const frame = new Uint8Array(60).fill(0xff);
    injector.injectFrames({ frame, repeat: 1000, burst: 32, ifindex: here.index });
    injector.injectFrames({ frame, repeat: 1, ifindex: here.index, rxQueue: 1 });
    const counters = waitFor(
      () => readFlowCounters(counting.map(flowCountersSpec.name)),
      (counts: FlowCounters) => counts.notIp >= 1001,
    );
    assert.equal(counters.notIp, 1001);
    assert.throws(
      () => injector.injectFrames({ frame, repeat: 1, burst: 257, ifindex: here.index }),
      isSystemError('E2BIG', /^Cannot inject frames with BPF program xdp_tx: E2BIG/),
    );
  });
});

/** Waits up to 2 s: frames cross a veth pair in a softirq that may run on another core. */
function waitFor<T>(read: () => T, done: (value: T) => boolean): T {
  const deadline = performance.now() + 2000;
  for (;;) {
    const value = read();
    if (done(value) || performance.now() > deadline) return value;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** What the process has open, by the kernel's account. */
function openDescriptors(): { number: number; target: string }[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [{ number: Number(number), target: readlinkSync(`/proc/self/fd/${number}`) }];
    } catch {
      return []; // the one that listed them
    }
  });
}

// ---- Leaks ----------------------------------------------------------------------------------------------------------

test('loading and closing a program with its maps 1,000 times leaves no descriptor', (t) => {
  if (!requireRoot(t)) return;
  const spec = flowProgramSpec({ flows: [{ port: 9000 }], queues: 1 });
  const before = openDescriptors();
  for (let i = 0; i < 1000; i++) BpfProgram.load(spec).close();
  assert.deepEqual(leakedFds(), []);
  assert.deepEqual(openDescriptors(), before);
});

test('attaching and detaching a program 1,000 times leaves no descriptor and nothing attached', (t) => {
  withVeth(t, (here) => {
    using program = BpfProgram.load(verdictProgramSpec('XDP_PASS'));
    // measured: a program that runs nowhere else takes 25 ms to attach and detach, since the kernel patches its own
    // code for each; one that does takes 0.02 ms. So it stays attached to the namespace's loopback meanwhile.
    using _kept = XdpLink.attach(program, link('lo'), 'generic');
    const before = openDescriptors();
    for (let i = 0; i < 1000; i++) XdpLink.attach(program, here, 'generic').close();
    assert.deepEqual(openDescriptors(), before);
    assert.equal(link('here').xdp, undefined);
  });
});
