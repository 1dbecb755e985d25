import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  BpfProgram,
  FLOW_OUTCOMES,
  FLOW_SOCKETS,
  type FlowOutcome,
  type FlowProgramSpec,
  flowCountersSpec,
  flowProgramSpec,
  MAX_EXTENSIONS,
  readFlowCounters,
} from '../../src/bpf/index.ts';
import { libc } from '../../src/ffi/index.ts';
import { Fd } from '../../src/sys/index.ts';
import { AF_XDP, XDP_PASS, XDP_REDIRECT } from '../../src/sys/uapi/index.ts';
import { requireRoot } from '../support/requirements.ts';

const RUNS = process.env.BAREWIRE_SOAK === '1' ? 200_000 : 2_000;
const SOCK_RAW = 3;

// ---- Frames ---------------------------------------------------------------------------------------------------------

const OURS = { port: 9000, ipv4: [10, 0, 0, 1], ipv6: [0xfe, 0x80, ...new Array<number>(13).fill(0), 1] };
const be16 = (value: number): number[] => [value >> 8, value & 0xff];

interface Udp {
  readonly port?: number;
  readonly payload?: number;
}

function udp({ port = OURS.port, payload = 25 }: Udp = {}): number[] {
  return [
    ...be16(40000),
    ...be16(port),
    ...be16(8 + payload),
    0,
    0,
    ...new Array<number>(payload).fill(0xaa),
  ];
}

interface Ipv4 {
  readonly address?: readonly number[];
  readonly protocol?: number;
  /** flags and offset */
  readonly fragment?: number;
  /** [words of 32 bits] */
  readonly options?: number;
  readonly firstByte?: number;
  readonly body?: readonly number[];
}

function ipv4(fields: Ipv4 = {}): number[] {
  const { address = OURS.ipv4, protocol = 17, fragment = 0x4000, options = 0, body = udp() } = fields;
  const firstByte = fields.firstByte ?? 0x45 + options;
  const length = 20 + 4 * options + body.length;
  const head = [firstByte, 0, ...be16(length), 0, 1, ...be16(fragment), 64, protocol, 0, 0, 192, 168, 0, 7];
  return [...head, ...address, ...new Array<number>(4 * options).fill(1), ...body];
}

interface Extension {
  readonly type: number;
  /** beyond the first 8 bytes [units of 8 bytes] */
  readonly units?: number;
  readonly segmentsLeft?: number;
}

interface Ipv6 {
  readonly address?: readonly number[];
  readonly protocol?: number;
  readonly extensions?: readonly Extension[];
  readonly firstByte?: number;
  readonly body?: readonly number[];
}

function ipv6({
  address = OURS.ipv6,
  protocol = 17,
  extensions = [],
  firstByte = 0x60,
  body = udp(),
}: Ipv6 = {}): number[] {
  const types = [...extensions.map((each) => each.type), protocol];
  const rest = extensions.flatMap(({ units = 0, segmentsLeft = 0 }, i) => [
    ...[types[i + 1]!, units, 0, segmentsLeft, 0, 0, 0, 0],
    ...new Array<number>(8 * units).fill(0),
  ]);
  const source = [0xfe, 0x80, ...new Array<number>(13).fill(0), 7];
  const length = be16((rest.length + body.length) & 0xffff);
  return [firstByte, 0, 0, 0, ...length, types[0]!, 64, ...source, ...address, ...rest, ...body];
}

function ethernet(ethertype: number, payload: readonly number[], tags: readonly number[] = []): Uint8Array {
  const tagged = tags.flatMap((tpid) => [...be16(tpid), 0, 5]);
  return Uint8Array.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...tagged, ...be16(ethertype), ...payload]);
}

const [IPV4, IPV6, TAG, SERVICE_TAG] = [0x0800, 0x86dd, 0x8100, 0x88a8];
const [HOP_BY_HOP, ROUTING, FRAGMENT, ESP, AH, DESTINATION] = [0, 43, 44, 50, 51, 60];

// ---- What the program must decide, said a second time ---------------------------------------------------------------

/** The flows of the tests: a port on one address of each version, another port on any. */
const spec: FlowProgramSpec = {
  flows: [{ port: OURS.port, address: '10.0.0.1' }, { port: OURS.port, address: 'fe80::1' }, { port: 53 }],
  queues: 1,
};

function model(frame: Uint8Array, maxVlanTags: number): FlowOutcome {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    let at = 12;
    let ethertype = view.getUint16(at);
    for (let tags = 0; ethertype === TAG || ethertype === SERVICE_TAG; tags++) {
      if (tags === maxVlanTags) return 'tooManyTags';
      at += 4;
      ethertype = view.getUint16(at);
    }
    if (ethertype === IPV4) return modelIpv4(view, at + 2);
    return ethertype === IPV6 ? modelIpv6(view, at + 2) : 'notIp';
  } catch (error) {
    assert.ok(error instanceof RangeError);
    return 'truncated';
  }
}

function modelIpv4(view: DataView, ip: number): FlowOutcome {
  view.getUint8(ip + 19);
  const [version, words] = [view.getUint8(ip) >> 4, view.getUint8(ip) & 15];
  if (version !== 4 || words < 5) return 'malformed';
  if (view.getUint8(ip + 9) !== 17) return 'notUdp';
  if ((view.getUint16(ip + 6) & 0x3fff) !== 0) return 'fragment';
  return modelUdp(view, ip + 4 * words, bytes(view, ip + 16, 4), OURS.ipv4);
}

function modelIpv6(view: DataView, ip: number): FlowOutcome {
  view.getUint8(ip + 39);
  if (view.getUint8(ip) >> 4 !== 6) return 'malformed';
  let header = view.getUint8(ip + 6);
  let at = ip + 40;
  for (let n = 0; [HOP_BY_HOP, ROUTING, DESTINATION].includes(header); n++) {
    if (n === MAX_EXTENSIONS) return 'extension';
    view.getUint8(at + 7);
    if (header === ROUTING && view.getUint8(at + 3) > 0) return 'extension';
    header = view.getUint8(at);
    at += 8 * (view.getUint8(at + 1) + 1);
  }
  if (header === FRAGMENT) return 'fragment';
  if (header === AH || header === ESP) return 'extension';
  return header === 17 ? modelUdp(view, at, bytes(view, ip + 24, 16), OURS.ipv6) : 'notUdp';
}

function modelUdp(view: DataView, at: number, address: number[], ours: readonly number[]): FlowOutcome {
  view.getUint8(at + 7);
  const port = view.getUint16(at + 2);
  if (port === 53) return 'redirected';
  return port === OURS.port && String(address) === String(ours) ? 'redirected' : 'otherFlow';
}

const bytes = (view: DataView, at: number, len: number): number[] =>
  Array.from({ length: len }, (_, i) => view.getUint8(at + i));

// ---- The program under test -----------------------------------------------------------------------------------------

/** A loaded flow program whose only nicQueue has an AF_XDP socket, so that test runs answer XDP_REDIRECT. */
class FlowBench implements Disposable {
  readonly program: BpfProgram;
  readonly #socket: Fd;
  #counted: number;

  constructor(flowSpec: FlowProgramSpec) {
    this.program = BpfProgram.load(flowProgramSpec(flowSpec));
    this.#socket = new Fd(libc.socket(AF_XDP, SOCK_RAW, 0), 'AF_XDP socket');
    this.program.map(FLOW_SOCKETS).update(0, this.#socket.fd);
    this.#counted = 0;
  }

  /** Runs the program on a frame; returns the one counter that moved. */
  outcome(frame: Uint8Array): FlowOutcome {
    const before = this.counters();
    const result = this.program.testRun({ frame });
    const after = this.counters();
    const moved = FLOW_OUTCOMES.filter((outcome) => after[outcome] !== before[outcome]);
    this.#counted++;
    assert.equal(moved.length, 1, `counters moved: ${moved}`);
    assert.equal(
      Object.values(after).reduce((sum, count) => sum + count),
      this.#counted,
    );
    assert.equal(result.returned, moved[0] === 'redirected' ? XDP_REDIRECT : XDP_PASS);
    assert.deepEqual(Buffer.from(result.frame), Buffer.from(frame));
    return moved[0]!;
  }

  counters(): Record<FlowOutcome, number> {
    return readFlowCounters(this.program.map(flowCountersSpec.name));
  }

  [Symbol.dispose](): void {
    this.program.close();
    this.#socket.close();
  }
}

function cases(
  t: TestContext,
  flowSpec: FlowProgramSpec,
  expected: readonly [FlowOutcome, string, Uint8Array][],
): void {
  if (!requireRoot(t)) return;
  using bench = new FlowBench(flowSpec);
  for (const [outcome, what, frame] of expected) {
    assert.equal(bench.outcome(frame), outcome, what);
    assert.equal(model(frame, flowSpec.maxVlanTags ?? 2), outcome, `the model, for ${what}`);
  }
}

test('the flow program redirects its flows, IPv4 and IPv6', (t) => {
  cases(t, spec, [
    ['redirected', 'IPv4', ethernet(IPV4, ipv4())],
    ['redirected', 'IPv6', ethernet(IPV6, ipv6())],
    [
      'redirected',
      'port on any address',
      ethernet(IPV4, ipv4({ address: [1, 2, 3, 4], body: udp({ port: 53 }) })),
    ],
    ['redirected', 'empty datagram', ethernet(IPV4, ipv4({ body: udp({ payload: 0 }) }))],
    ['redirected', 'long datagram', ethernet(IPV6, ipv6({ body: udp({ payload: 1400 }) }))],
  ]);
});

test('the flow program passes other flows, protocols and EtherTypes to the kernel', (t) => {
  const last = (address: readonly number[]): number[] => [...address.slice(0, -1), 2];
  const first = (address: readonly number[]): number[] => [11, ...address.slice(1)];
  cases(t, spec, [
    ['otherFlow', 'another port', ethernet(IPV4, ipv4({ body: udp({ port: 9001 }) }))],
    ['otherFlow', 'a port with its bytes swapped', ethernet(IPV4, ipv4({ body: udp({ port: 0x2823 }) }))],
    ['otherFlow', 'another IPv4 address', ethernet(IPV4, ipv4({ address: last(OURS.ipv4) }))],
    ['otherFlow', 'another IPv6 address', ethernet(IPV6, ipv6({ address: last(OURS.ipv6) }))],
    ['otherFlow', 'another IPv6 network', ethernet(IPV6, ipv6({ address: first(OURS.ipv6) }))],
    ['notUdp', 'TCP to the port', ethernet(IPV4, ipv4({ protocol: 6 }))],
    ['notUdp', 'a fragment of TCP', ethernet(IPV4, ipv4({ protocol: 6, fragment: 0x2000 }))],
    ['notUdp', 'ICMPv6', ethernet(IPV6, ipv6({ protocol: 58 }))],
    ['notUdp', 'no next header', ethernet(IPV6, ipv6({ protocol: 59 }))],
    ['notIp', 'ARP', ethernet(0x0806, new Array<number>(28).fill(0))],
    ['notIp', 'an 802.3 length', ethernet(46, new Array<number>(46).fill(0))],
  ]);
});

test('the flow program walks over VLAN tags, up to two', (t) => {
  cases(t, spec, [
    ['redirected', 'one', ethernet(IPV4, ipv4(), [TAG])],
    ['redirected', 'two', ethernet(IPV6, ipv6(), [SERVICE_TAG, TAG])],
    ['otherFlow', 'another flow', ethernet(IPV4, ipv4({ body: udp({ port: 80 }) }), [TAG])],
    ['tooManyTags', 'three', ethernet(IPV4, ipv4(), [SERVICE_TAG, TAG, TAG])],
    ['truncated', 'a cut tag', ethernet(IPV4, [], [TAG]).subarray(0, 16)],
  ]);
});

test('the flow program passes more VLAN tags than asked for', (t) => {
  const tagged = ethernet(IPV4, ipv4(), [TAG]);
  cases(t, { ...spec, maxVlanTags: 0 }, [
    ['redirected', 'none', ethernet(IPV4, ipv4())],
    ['tooManyTags', 'one', tagged],
  ]);
  cases(t, { ...spec, maxVlanTags: 1 }, [
    ['redirected', 'one', tagged],
    ['tooManyTags', 'two', ethernet(IPV4, ipv4(), [SERVICE_TAG, TAG])],
  ]);
});

test('the flow program walks over IPv4 options and passes fragments', (t) => {
  cases(t, spec, [
    ['redirected', 'one word of options', ethernet(IPV4, ipv4({ options: 1 }))],
    ['redirected', 'ten words of options', ethernet(IPV4, ipv4({ options: 10 }))],
    [
      'otherFlow',
      'another port behind options',
      ethernet(IPV4, ipv4({ options: 10, body: udp({ port: 80 }) })),
    ],
    ['redirected', 'neither "may fragment" nor "do not"', ethernet(IPV4, ipv4({ fragment: 0 }))],
    ['fragment', 'the first', ethernet(IPV4, ipv4({ fragment: 0x2000 }))],
    ['fragment', 'a middle one', ethernet(IPV4, ipv4({ fragment: 0x2001 }))],
    ['fragment', 'the last', ethernet(IPV4, ipv4({ fragment: 0x0100 }))],
    ['malformed', 'a header of 16 bytes', ethernet(IPV4, ipv4({ firstByte: 0x44 }))],
    ['malformed', 'IPv6 under the EtherType of IPv4', ethernet(IPV4, ipv6())],
    [
      'truncated',
      'options beyond the end',
      ethernet(IPV4, ipv4({ firstByte: 0x4f, body: udp({ payload: 0 }) })),
    ],
  ]);
});

test('the flow program walks over IPv6 extension headers as far as it should', (t) => {
  const five = new Array<Extension>(MAX_EXTENSIONS + 1).fill({ type: DESTINATION });
  const routed = (segmentsLeft: number): Uint8Array =>
    ethernet(IPV6, ipv6({ extensions: [{ type: ROUTING, units: 2, segmentsLeft }] }));
  cases(t, spec, [
    ['redirected', 'hop-by-hop', ethernet(IPV6, ipv6({ extensions: [{ type: HOP_BY_HOP }] }))],
    ['redirected', 'long options', ethernet(IPV6, ipv6({ extensions: [{ type: DESTINATION, units: 100 }] }))],
    ['redirected', 'a route at its end', routed(0)],
    ['extension', 'a route to go on', routed(1)],
    ['redirected', 'four', ethernet(IPV6, ipv6({ extensions: five.slice(1) }))],
    [
      'truncated',
      'TCP behind a cut one',
      ethernet(IPV6, ipv6({ protocol: DESTINATION, body: [6, 0, 0, 0] })),
    ],
    ['notUdp', 'TCP behind four', ethernet(IPV6, ipv6({ extensions: five.slice(1), protocol: 6 }))],
    ['extension', 'five', ethernet(IPV6, ipv6({ extensions: five }))],
    [
      'otherFlow',
      'another port',
      ethernet(IPV6, ipv6({ extensions: five.slice(2), body: udp({ port: 80 }) })),
    ],
    ['fragment', 'a fragment', ethernet(IPV6, ipv6({ extensions: [{ type: FRAGMENT }] }))],
    [
      'fragment',
      'behind options',
      ethernet(IPV6, ipv6({ extensions: [{ type: HOP_BY_HOP }, { type: FRAGMENT }] })),
    ],
    ['extension', 'authentication', ethernet(IPV6, ipv6({ extensions: [{ type: AH }] }))],
    ['extension', 'encryption', ethernet(IPV6, ipv6({ protocol: ESP }))],
    [
      'malformed',
      'IPv4 under the EtherType of IPv6',
      ethernet(IPV6, [...ipv4(), ...new Array<number>(20).fill(0)]),
    ],
  ]);
});

test('the flow program passes every frame that ends within its headers', (t) => {
  const whole: readonly [Uint8Array, number][] = [
    [ethernet(IPV4, ipv4({ options: 2 }), [SERVICE_TAG, TAG]), 14 + 8 + 28 + 8],
    [
      ethernet(IPV6, ipv6({ extensions: [{ type: HOP_BY_HOP }, { type: ROUTING, units: 1 }] })),
      14 + 40 + 24 + 8,
    ],
  ];
  for (const [frame, headersLen] of whole) {
    const expected: [FlowOutcome, string, Uint8Array][] = [];
    for (let len = 14; len < headersLen; len++)
      expected.push(['truncated', `${len} bytes`, frame.subarray(0, len)]);
    cases(t, spec, [...expected, ['redirected', `${headersLen} bytes`, frame.subarray(0, headersLen)]]);
  }
});

test('the flow program passes its flow to the kernel where the nicQueue has no socket', (t) => {
  if (!requireRoot(t)) return;
  using bench = new FlowBench(spec);
  const frame = ethernet(IPV4, ipv4());
  assert.equal(bench.outcome(frame), 'redirected');
  bench.program.map(FLOW_SOCKETS).delete(0);
  assert.equal(bench.outcome(frame), 'noSocket');
});

test('a flow program of 64 flows passes the verifier and tells the flows apart', (t) => {
  if (!requireRoot(t)) return;
  const flows = Array.from({ length: 64 }, (_, i) => ({
    port: 9000,
    address: `fe80::${(i + 1).toString(16)}`,
  }));
  using bench = new FlowBench({ flows, queues: 1 });
  const to = (last: number): Uint8Array =>
    ethernet(IPV6, ipv6({ address: [...OURS.ipv6.slice(0, 15), last] }));
  assert.equal(bench.outcome(to(64)), 'redirected');
  assert.equal(bench.outcome(to(65)), 'otherFlow');
});

// ---- Random frames --------------------------------------------------------------------------------------------------

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const datagram = fc.record({ port: oneOf(OURS.port, 53, 80), payload: oneOf(0, 25, 300) }).map(udp);
const packet = fc.oneof(
  fc
    .record({
      address: oneOf(OURS.ipv4, [1, 2, 3, 4]),
      protocol: oneOf(17, 17, 17, 6),
      fragment: oneOf(0, 0x4000, 0x8000, 0x2000, 1),
      options: fc.nat(10),
      body: datagram,
    })
    .map((fields) => [IPV4, ipv4(fields)] as const),
  fc
    .record({
      address: oneOf(OURS.ipv6, new Array<number>(16).fill(1)),
      protocol: oneOf(17, 17, 17, 6, 59),
      extensions: fc.array(
        fc.record({
          type: oneOf(HOP_BY_HOP, ROUTING, DESTINATION, DESTINATION, FRAGMENT, AH, ESP),
          units: oneOf(0, 0, 1, 7, 255),
          segmentsLeft: oneOf(0, 0, 0, 1),
        }),
        { maxLength: 6 },
      ),
      body: datagram,
    })
    .map((fields) => [IPV6, ipv6(fields)] as const),
);

/** Frames that are nearly ours: cut, lengthened or with some bytes overwritten. */
const nearlyOurs = fc
  .record({
    packet,
    tags: fc.array(oneOf(TAG, SERVICE_TAG), { maxLength: 3 }),
    cut: fc.option(fc.nat(), { freq: 4 }),
    overwrite: fc.array(fc.tuple(fc.oneof(fc.nat(80), fc.constant(14)), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ packet: [ethertype, payload], tags, cut, overwrite }) => {
    const frame = ethernet(ethertype, payload, tags);
    for (const [at, value] of overwrite) if (at < frame.length) frame[at] = value;
    // A test run takes at most a page, less what the kernel keeps around the frame.
    return frame.slice(0, Math.min(3000, cut === null ? frame.length : 14 + (cut % frame.length)));
  });

const noise = fc.uint8Array({ minLength: 14, maxLength: 200 });

test('the flow program decides as the model does, for frames that are nearly ours and for noise', (t) => {
  if (!requireRoot(t)) return;
  for (const maxVlanTags of [0, 1, 2] as const) {
    using bench = new FlowBench({ ...spec, maxVlanTags });
    fc.assert(
      fc.property(
        fc.oneof({ weight: 9, arbitrary: nearlyOurs }, { weight: 1, arbitrary: noise }),
        (frame) => {
          assert.equal(bench.outcome(frame), model(frame, maxVlanTags));
        },
      ),
      { numRuns: RUNS / 2 },
    );
    const seen = bench.counters();
    const never = FLOW_OUTCOMES.filter((outcome) => seen[outcome] === 0);
    assert.deepEqual(never, ['noSocket', 'noMetadata'], 'outcomes that the generator never made');
  }
});
