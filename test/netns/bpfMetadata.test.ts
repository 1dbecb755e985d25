import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BpfStruct, bpf } from '../../src/bpf/bpfCall.ts';
import {
  Assembler,
  BpfProgram,
  FLOW_SOCKETS,
  type FlowCounters,
  type FlowMetadata,
  type FlowProgramSpec,
  flowCountersSpec,
  flowProgramSpec,
  METADATA_HARDWARE_NS,
  METADATA_HAS_HASH,
  METADATA_HAS_VLAN,
  METADATA_HASH,
  METADATA_HASH_TYPE,
  METADATA_KERNEL_NS,
  METADATA_LEN,
  METADATA_VALID,
  METADATA_VLAN_PROTOCOL,
  METADATA_VLAN_TCI,
  type ProgramSpec,
  r0,
  r1,
  r2,
  r3,
  r4,
  r6,
  readFlowCounters,
  XdpLink,
} from '../../src/bpf/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { addNeighbour, Fd, link, nowNs, setLink, UdpSocket, withNetns } from '../../src/sys/index.ts';
import * as k from '../../src/sys/uapi/index.ts';
import { TEST_UDP_PORT, udpFrame } from '../support/frames.ts';
import { HandmadeXdpSocket, waitUntil } from '../support/handmadeXdpSocket.ts';
import { requireRoot } from '../support/requirements.ts';
import { type TestVeth, testVeth } from '../support/vethPair.ts';

/** @source net/xdp.h, enum xdp_rss_hash_type */
const XDP_RSS_L4 = 8;
const flows = [{ port: TEST_UDP_PORT }];
const frame: Uint8Array = udpFrame(new Uint8Array(6).fill(2), new Uint8Array(6).fill(4), 30, 7);

// ---- Metadata of frames that cross a veth pair -----------------------------------------------------------------------

interface Metadata {
  readonly hardwareNs: number;
  readonly kernelNs: number;
  readonly hash: number;
  readonly hashType: number;
  readonly vlanTci: number;
  readonly vlanProtocol: number;
  readonly valid: number;
}

/** Reads the metadata before a frame, as its 32 bytes are laid out. */
function read(metadata: DataView): Metadata {
  const at = (offset: number): number => METADATA_LEN + offset;
  return {
    hardwareNs: Number(metadata.getBigUint64(at(METADATA_HARDWARE_NS), true)),
    kernelNs: Number(metadata.getBigUint64(at(METADATA_KERNEL_NS), true)),
    hash: metadata.getUint32(at(METADATA_HASH), true),
    hashType: metadata.getUint32(at(METADATA_HASH_TYPE), true),
    vlanTci: metadata.getUint16(at(METADATA_VLAN_TCI), true),
    vlanProtocol: metadata.getUint16(at(METADATA_VLAN_PROTOCOL), true),
    valid: metadata.getUint32(at(METADATA_VALID), true),
  };
}

/** A flow program on end `b` of a veth pair with an AF_XDP socket, and a UDP socket on end `a` that sends to it. */
class MetadataBench implements Disposable {
  readonly veth: TestVeth;
  readonly program: BpfProgram;
  readonly #stack: DisposableStack = new DisposableStack();
  readonly #socket: HandmadeXdpSocket;

  constructor(metadata: FlowMetadata, mode: 'native' | 'generic', prepare?: (veth: TestVeth) => Disposable) {
    this.veth = this.#stack.use(testVeth());
    const { a, b } = this.veth;
    if (prepare) this.#stack.use(prepare(this.veth));
    withNetns(a.namespace, () => addNeighbour(a.name, b.address, b.mac));
    const target = withNetns(b.namespace, () => link(b.name));
    this.#socket = this.#stack.use(withNetns(b.namespace, () => new HandmadeXdpSocket(target.index)));
    this.program = withNetns(b.namespace, () => {
      const spec: FlowProgramSpec = { flows, queues: 1, metadata, boundTo: target.index };
      const program = this.#stack.use(BpfProgram.load(flowProgramSpec(spec)));
      this.#stack.use(XdpLink.attach(program, target, mode));
      return program;
    });
    this.program.map(FLOW_SOCKETS).update(0, this.#socket.fd.fd);
  }

  /** Opens a socket that sends to the flow. */
  sender(): UdpSocket {
    const { a, b } = this.veth;
    const peer = { address: b.address, port: TEST_UDP_PORT };
    return withNetns(a.namespace, () => this.#stack.use(new UdpSocket({ peer })));
  }

  /** Sends a datagram, and returns what stands before its frame. */
  exchange(sender: UdpSocket = this.sender()): Metadata {
    sender.reserve(5);
    sender.flush();
    return this.receive();
  }

  /** Returns what stands before the frame that arrives next. */
  receive(): Metadata {
    const { metadata, frame: received } = this.#socket.receive(METADATA_LEN);
    assert.equal(new DataView(received.buffer, received.byteOffset).getUint16(36), TEST_UDP_PORT);
    return read(metadata);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

test("a flow program writes the kernel's time before a frame of ours, and nothing before any other", (t) => {
  if (!requireRoot(t)) return;
  using socket = new Fd(libc.socket(k.AF_XDP, 3, 0), 'AF_XDP socket');
  using program = BpfProgram.load(flowProgramSpec({ flows, queues: 1, metadata: {} }));
  program.map(FLOW_SOCKETS).update(0, socket.fd);
  const before = nowNs();
  const ours = program.testRun({ frame }).frame;
  const after = nowNs();
  assert.deepEqual(ours.subarray(METADATA_LEN), frame);
  const { kernelNs, ...rest } = read(new DataView(ours.buffer, ours.byteOffset, METADATA_LEN));
  assert.ok(kernelNs >= before && kernelNs <= after, `${before} ${kernelNs} ${after}`);
  assert.deepEqual(rest, {
    hardwareNs: 0,
    hash: 0,
    hashType: 0,
    vlanTci: 0,
    vlanProtocol: 0,
    valid: 0,
  });
  const other = frame.slice();
  other[37]! ^= 1;
  assert.deepEqual(program.testRun({ frame: other }).frame, other);
  program.map(FLOW_SOCKETS).delete(0);
  assert.deepEqual(program.testRun({ frame }).frame, frame, 'a frame that no socket takes');
});

test("the kernel's time stands before the frame in a chunk, in native and in generic mode", (t) => {
  if (!requireRoot(t)) return;
  for (const mode of ['native', 'generic'] as const) {
    using bench = new MetadataBench({}, mode);
    const before = nowNs();
    const { kernelNs, valid } = bench.exchange();
    assert.ok(kernelNs >= before && kernelNs <= nowNs(), `${mode}: ${before} ${kernelNs} ${nowNs()}`);
    assert.equal(valid, 0);
  }
});

test('a veth tells the hash of a flow, and that it has neither hardware timestamp nor VLAN tag', (t) => {
  if (!requireRoot(t)) return;
  using bench = new MetadataBench({ timestamp: 'hardware', hash: true, vlan: true }, 'native');
  const before = nowNs();
  const sender = bench.sender();
  const [first, again, other] = [bench.exchange(sender), bench.exchange(sender), bench.exchange()];
  assert.equal(first.valid, METADATA_HAS_HASH);
  assert.deepEqual([first.hardwareNs, first.vlanTci, first.vlanProtocol], [0, 0, 0]);
  assert.ok(first.kernelNs >= before && again.kernelNs > first.kernelNs && other.kernelNs <= nowNs());
  assert.equal(first.hashType, XDP_RSS_L4);
  assert.equal(again.hash, first.hash);
  assert.notEqual(other.hash, first.hash);
});

test('a veth tells the VLAN tag that is carried beside the frame', (t) => {
  if (!requireRoot(t)) return;
  const TCI = 0x6005;
  for (const protocol of [0x8100, 0x88a8]) {
    using bench = new MetadataBench({ vlan: true }, 'native', ({ a }) =>
      withNetns(a.namespace, () => tagOnEgress(a.name, protocol, TCI)),
    );
    const { vlanTci, vlanProtocol, valid } = bench.exchange();
    assert.deepEqual(
      { vlanTci, vlanProtocol, valid },
      { vlanTci: TCI, vlanProtocol: protocol, valid: METADATA_HAS_VLAN },
    );
  }
});

test('metadata that a frame brings from elsewhere gives way to ours', (t) => {
  if (!requireRoot(t)) return;
  using bench = new MetadataBench({ timestamp: 'hardware', hash: true, vlan: true }, 'native');
  const before = nowNs();
  inject(bench.veth, (a) => {
    a.mov(r1, r6);
    a.mov(r2, -8);
    a.call(k.BPF_FUNC_xdp_adjust_meta);
  });
  const { kernelNs, ...rest } = bench.receive();
  assert.ok(kernelNs >= before && kernelNs <= nowNs(), `${before} ${kernelNs} ${nowNs()}`);
  // A frame that comes from a program has no packet of the kernel's, which a veth would ask.
  assert.deepEqual(new Set(Object.values(rest)), new Set([0]));
});

test('a frame without room for its metadata goes to the kernel and is counted', (t) => {
  if (!requireRoot(t)) return;
  using bench = new MetadataBench({}, 'native');
  // Of the 256 bytes before a frame, the kernel needs some 40 itself.
  inject(bench.veth, (a) => moveUp(a, 208));
  const count = (): number => readFlowCounters(bench.program.map(flowCountersSpec.name)).noMetadata;
  assert.ok(
    waitUntil(() => count() === 1),
    JSON.stringify(readFlowCounters(bench.program.map(flowCountersSpec.name))),
  );
  bench.exchange();
  assert.equal(count(), 1);
});

/** Sends one frame of ours from end `a`, as an XDP program that `prepare` writes leaves it. The context is in r6. */
function inject({ a: end, b }: TestVeth, prepare: (a: Assembler) => void): void {
  const a = new Assembler();
  a.mov(r6, r1);
  prepare(a);
  a.mov(r0, k.XDP_TX);
  a.exit();
  const macOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(':', ''), 'hex'));
  const injected = udpFrame(macOf(end.mac), macOf(b.mac), 30, 7);
  withNetns(end.namespace, () => {
    using program = BpfProgram.load({ name: 'inject', type: 'xdp', assembly: a.assemble() });
    program.injectFrames({ frame: injected, repeat: 1, ifindex: link(end.name).index });
  });
}

/** Moves the headers of a frame up by `len` bytes, into the room before it. */
function moveUp(a: Assembler, len: number): void {
  const HEADERS_LEN = 42;
  a.mov(r1, r6);
  a.mov(r2, -len);
  a.call(k.BPF_FUNC_xdp_adjust_head);
  a.ldx('u32', r2, r6, k.xdp_md.data);
  a.ldx('u32', r3, r6, k.xdp_md.data_end);
  a.mov(r4, r2);
  a.add(r4, len + HEADERS_LEN);
  a.jgt(r4, r3, 'short');
  for (let at = 0; at < HEADERS_LEN; at += 2) {
    a.ldx('u16', r4, r2, len + at);
    a.stx('u16', r2, at, r4);
  }
  a.label('short');
}

/** Has the kernel put a VLAN tag beside every frame that leaves by an interface, as it does for a VLAN device. */
function tagOnEgress(name: string, protocol: number, tci: number): Disposable {
  const a = new Assembler();
  a.mov(r2, ((protocol & 0xff) << 8) | (protocol >> 8));
  a.mov(r3, tci);
  a.call(k.BPF_FUNC_skb_vlan_push);
  a.mov(r0, -1); // TCX_NEXT
  a.exit();
  using program = BpfProgram.load({ name: 'tag', type: 'sched_cls', assembly: a.assemble() });
  const attr = new BpfStruct(k.bpf_attr_link_create.sizeof);
  attr.set(k.bpf_attr_link_create.prog_fd, program.fd);
  attr.set(k.bpf_attr_link_create.target_ifindex, link(name).index);
  attr.set(k.bpf_attr_link_create.attach_type, k.BPF_TCX_EGRESS);
  const fd = bpf(k.BPF_LINK_CREATE, attr);
  assert.ok(fd >= 0, `BPF_LINK_CREATE: ${fd}`);
  return new Fd(fd, 'tcx link');
}

test('a program that asks the driver is refused where there is none to ask: in generic mode, or on the loopback', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  withNetns(veth.a.namespace, () => {
    const [target, loopback] = [link(veth.a.name), link('lo')];
    const spec: FlowProgramSpec = { flows, queues: 1, metadata: { hash: true }, boundTo: target.index };
    using program = BpfProgram.load(flowProgramSpec(spec));
    const reason = /^Cannot attach XDP program in generic mode to va: EINVAL\. It is bound to a device/;
    assert.throws(() => XdpLink.attach(program, target, 'generic'), { code: 'EINVAL', message: reason });
    assert.throws(() => XdpLink.attach(program, loopback), {
      code: 'EINVAL',
      message:
        /^Cannot attach XDP program in native mode to lo: EINVAL\. It is bound to the interface with index/,
    });
    assert.throws(() => BpfProgram.load(flowProgramSpec({ ...spec, boundTo: loopback.index })), {
      code: 'EOPNOTSUPP',
      message: /^Cannot load BPF program flow: EOPNOTSUPP\. The driver has no metadata for programs/,
    });
    const gone = flowProgramSpec({ ...spec, boundTo: 4711 });
    assert.throws(() => BpfProgram.load(gone), {
      code: 'EINVAL',
      message:
        /^Cannot load BPF program flow: EINVAL\. No interface of this network namespace has index 4711$/,
    });
  });
});

test('a call of the kernel is refused by name when it is not there, unlicensed, or not bound to a device', (t) => {
  if (!requireRoot(t)) return;
  const a = new Assembler();
  a.callKernel('bpf_no_such_function', 'Linux 99');
  a.exit();
  assert.throws(() => BpfProgram.load({ name: 'early', type: 'xdp', assembly: a.assemble() }), {
    name: 'UnsupportedError',
    message: 'Kernel function bpf_no_such_function is not available here (needs Linux 99)',
  });
  using veth = testVeth();
  withNetns(veth.a.namespace, () => {
    const { boundTo, ...unbound } = flowProgramSpec({
      flows,
      queues: 1,
      metadata: { hash: true },
      boundTo: link(veth.a.name).index,
    });
    assert.throws(() => BpfProgram.load(unbound), {
      name: 'VerifierError',
      message: /metadata kfuncs require device-bound program/,
    });
    assert.ok(boundTo !== undefined);
    assert.throws(() => BpfProgram.load({ ...unbound, boundTo, license: 'MIT' }), {
      name: 'VerifierError',
      message: /cannot call kernel function from non-GPL compatible program/,
    });
    const a = new Assembler();
    a.label('ask');
    a.mov(r2, 1);
    a.callKernel('bpf_xdp_metadata_rx_timestamp', 'Linux 6.3');
    a.exit();
    const wrong: ProgramSpec = { ...unbound, name: 'wrong', boundTo, assembly: a.assemble() };
    assert.throws(() => BpfProgram.load(wrong), {
      name: 'VerifierError',
      line: 'ask+1: call bpf_xdp_metadata_rx_timestamp',
    });
  });
});

// ---- Frames in several buffers --------------------------------------------------------------------------------------

test('a program that takes frames in several buffers attaches to a veth with an mtu of 9000 and matches its flow', (t) => {
  if (!requireRoot(t)) return;
  using veth = testVeth();
  const { a, b } = veth;
  withNetns(a.namespace, () => setLink(a.name, { mtu: 9000 }));
  const target = withNetns(b.namespace, () => {
    setLink(b.name, { mtu: 9000 });
    return link(b.name);
  });
  withNetns(b.namespace, () => {
    using small = BpfProgram.load(flowProgramSpec({ flows, queues: 1 }));
    assert.throws(() => XdpLink.attach(small, target, 'native'), {
      code: 'ERANGE',
      message: /^Cannot attach XDP program in native mode to vb: ERANGE\. .*mtu.*`frags`/,
    });
    using large = BpfProgram.load(flowProgramSpec({ flows, queues: 1, frags: true, metadata: {} }));
    using _attached = XdpLink.attach(large, target, 'native');
    const peer = { address: b.address, port: TEST_UDP_PORT };
    // Without it the kernel would answer with "port unreachable".
    using _receiver = new UdpSocket(peer);
    using sender = withNetns(a.namespace, () => new UdpSocket({ peer, maxLen: 9000 }));
    const lens = [5, 1400, 3500, 4096, 8900];
    for (const len of lens) sender.reserve(len);
    assert.equal(sender.flush(), lens.length);
    const counters = (): FlowCounters => readFlowCounters(large.map(flowCountersSpec.name));
    assert.ok(
      waitUntil(() => counters().noSocket === lens.length),
      JSON.stringify(counters()),
    );
  });
});
