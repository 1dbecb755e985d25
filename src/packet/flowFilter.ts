import {
  BPF_ABS,
  BPF_B,
  BPF_H,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JMP,
  BPF_JSET,
  BPF_LD,
  BPF_LDX,
  BPF_MAXINSNS,
  BPF_MSH,
  BPF_RET,
  BPF_W,
  sock_filter,
} from '../sys/uapi/index.ts';

/** UDP datagrams that are ours, of one IP version. */
export interface UdpDestination {
  readonly version: 4 | 6;
  readonly port: number;
  /** 4 or 16 bytes in network order; any when undefined */
  readonly address: Uint8Array | undefined;
}

/** An instruction: code, where to go on when a test holds and when not [instructions ahead], operand. */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

// Offsets are from the IP header on unless they say otherwise.
const ETHERTYPE = 12;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_8021Q = 0x8100;
const ETHERTYPE_8021AD = 0x88a8;
const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV4_DESTINATION = 16;
const IPV6_NEXT = 6;
const IPV6_DESTINATION = 24;
const IPV6_LEN = 40;
const UDP = 17;
/** Hop-by-hop options, routing, fragment, destination options. */
const IPV6_EXTENSIONS = [0, 43, 44, 60];
/** The most that is kept of a frame: all. */
const WHOLE = 0x7fff_ffff;

const load = (size: number, at: number): Instruction => [BPF_LD | BPF_ABS | size, 0, 0, at];
const loadBehind = (size: number, at: number): Instruction => [BPF_LD | BPF_IND | size, 0, 0, at];
const ret = (k: number): Instruction => [BPF_RET, 0, 0, k];
const equal = (k: number, jt: number, jf: number): Instruction => [BPF_JMP | BPF_JEQ, jt, jf, k];
const jump = (count: number): Instruction => [BPF_JMP | BPF_JA, 0, 0, count];

/** A program that keeps nothing. */
export const DROP_ALL: Uint8Array<ArrayBuffer> = encode([ret(0)]);

/**
 * Writes a classic BPF program that keeps frames with UDP datagrams to these destinations, and no others.
 *
 * The kernel has taken the outer VLAN tag off before it runs; one more tag is stepped over. Of an IPv6 packet with
 * extension headers it looks behind one: when UDP or another follows, the packet is kept, and left to whoever parses it.
 *
 * @returns an array of struct sock_filter, `sock_filter.sizeof` bytes each
 * @throws RangeError when there are more destinations than one program can tell apart
 * @source Documentation/networking/filter.rst; linux/filter.h
 */
export function flowFilter(destinations: readonly UdpDestination[]): Uint8Array<ArrayBuffer> {
  const plain = packetAt(ETHERTYPE + 2, destinations);
  const program: Instruction[] = [
    load(BPF_H, ETHERTYPE),
    equal(ETHERTYPE_8021Q, 2, 0),
    equal(ETHERTYPE_8021AD, 1, 0),
    jump(1),
    jump(plain.length),
    ...plain,
    load(BPF_H, ETHERTYPE + 4),
    ...packetAt(ETHERTYPE + 6, destinations),
  ];
  if (program.length > BPF_MAXINSNS) {
    throw new RangeError(
      `Cannot filter ${destinations.length} flows: they take ${program.length} instructions, a socket filter has at most ${BPF_MAXINSNS}`,
    );
  }
  return encode(program);
}

/** Judges the packet whose IP header is at `ip`, and whose ethertype has been loaded. */
function packetAt(ip: number, destinations: readonly UdpDestination[]): Instruction[] {
  const v4 = [
    ...overIpv4(
      ip,
      destinations.filter(({ version }) => version === 4),
    ),
    ret(0),
  ];
  const v6 = [
    ...overIpv6(
      ip,
      destinations.filter(({ version }) => version === 6),
    ),
    ret(0),
  ];
  return [
    equal(ETHERTYPE_IPV4, 0, 1),
    jump(1),
    jump(v4.length),
    ...v4,
    equal(ETHERTYPE_IPV6, 1, 0),
    ret(0),
    ...v6,
  ];
}

function overIpv4(ip: number, destinations: readonly UdpDestination[]): Instruction[] {
  return [
    load(BPF_B, ip + IPV4_PROTOCOL),
    equal(UDP, 1, 0),
    ret(0),
    load(BPF_H, ip + IPV4_FRAGMENT),
    // Only the first fragment has ports; wire/ refuses that one too, and says why.
    [BPF_JMP | BPF_JSET, 0, 1, 0x1fff],
    ret(0),
    [BPF_LDX | BPF_MSH | BPF_B, 0, 0, ip],
    ...destinations.flatMap(({ port, address }) =>
      judge(loadBehind(BPF_H, ip + 2), port, ip + IPV4_DESTINATION, address),
    ),
  ];
}

function overIpv6(ip: number, destinations: readonly UdpDestination[]): Instruction[] {
  // Each kind begins with what follows it.
  const behindExtension = [
    load(BPF_B, ip + IPV6_LEN),
    ...[UDP, ...IPV6_EXTENSIONS].flatMap((next) => [equal(next, 0, 1), ret(WHOLE)]),
    ret(0),
  ];
  return [
    load(BPF_B, ip + IPV6_NEXT),
    ...IPV6_EXTENSIONS.map((next, i) => equal(next, IPV6_EXTENSIONS.length + 1 - i, 0)),
    equal(UDP, behindExtension.length + 1, 0),
    ret(0),
    ...behindExtension,
    ...destinations.flatMap(({ port, address }) =>
      judge(load(BPF_H, ip + IPV6_LEN + 2), port, ip + IPV6_DESTINATION, address),
    ),
  ];
}

/** Keeps the frame when port and address are as wanted, and goes on behind otherwise. */
function judge(
  loadPort: Instruction,
  port: number,
  destinationAt: number,
  address: Uint8Array | undefined,
): Instruction[] {
  const words = address === undefined ? [] : wordsOf(address);
  const left = (tests: number): number => 2 * tests + 1;
  return [
    loadPort,
    equal(port, 0, left(words.length)),
    ...words.flatMap((word, i) => [
      load(BPF_W, destinationAt + 4 * i),
      equal(word, 0, left(words.length - 1 - i)),
    ]),
    ret(WHOLE),
  ];
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i));
}

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(program.length * sock_filter.sizeof));
  for (const [i, [code, jt, jf, k]] of program.entries()) {
    const at = i * sock_filter.sizeof;
    view.setUint16(at + sock_filter.code, code, true);
    view.setUint8(at + sock_filter.jt, jt);
    view.setUint8(at + sock_filter.jf, jf);
    view.setUint32(at + sock_filter.k, k, true);
  }
  return new Uint8Array(view.buffer);
}
