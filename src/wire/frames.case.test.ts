import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

// Frames made by hand, byte after byte and from the RFCs alone, for the tests of this folder and the fuzz test: nothing
// of the product is used, so that no parser is checked with its own builder.

/** A frame to make. */
export interface FramePlan {
  readonly destinationMac: readonly number[];
  readonly sourceMac: readonly number[];
  readonly vlans: readonly { readonly protocol: 0x8100 | 0x88a8; readonly tci: number }[];
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly hopLimit: number;
  /** IPv4 options, a multiple of 4 bytes */
  readonly options: readonly number[];
  /** IPv6 extension headers: type, and 8-byte units behind the first */
  readonly extensions: readonly { readonly type: number; readonly units: number }[];
  /** which part of a packet this is: of IPv4 always, of IPv6 in every fragment header */
  readonly fragment: { readonly offset: number; readonly more: boolean };
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: readonly number[];
  /** whether the datagram goes without a checksum, which IPv6 does not allow */
  readonly withoutChecksum: boolean;
  /** bytes of the IP packet behind the UDP datagram */
  readonly surplus: number;
  /** bytes of the frame behind the IP packet */
  readonly padding: number;
}

/** A frame, and where its parts lie. */
export interface MadeFrame {
  readonly bytes: Uint8Array;
  readonly l3: number;
  readonly l4: number;
  /** end of the IP packet */
  readonly packetEnd: number;
}

/** A plain frame: no tags, IPv4, ten bytes of payload. */
export const plainPlan: FramePlan = {
  destinationMac: [2, 0, 0, 0, 0, 1],
  sourceMac: [2, 0, 0, 0, 0, 2],
  vlans: [],
  source: [192, 0, 2, 1],
  destination: [192, 0, 2, 2],
  hopLimit: 64,
  options: [],
  extensions: [],
  fragment: { offset: 0, more: false },
  sourcePort: 40_000,
  destinationPort: 9000,
  payload: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  withoutChecksum: false,
  surplus: 0,
  padding: 0,
};

/** The same over IPv6. */
export const plainPlan6: FramePlan = {
  ...plainPlan,
  source: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  destination: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
};

/** RFC 1071, word by word. */
export function slowChecksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Makes a frame. */
export function makeFrame(plan: FramePlan): MadeFrame {
  const isIpv4 = plan.source.length === 4;
  const ethernet = [...plan.destinationMac, ...plan.sourceMac];
  for (const { protocol, tci } of plan.vlans) ethernet.push(...u16(protocol), ...u16(tci));
  ethernet.push(...u16(isIpv4 ? 0x0800 : 0x86dd));
  const udp = udpBytes(plan);
  const ip = isIpv4 ? ipv4Bytes(plan, udp.length) : ipv6Bytes(plan, udp.length);
  const packet = [...ethernet, ...ip, ...udp, ...new Array<number>(plan.surplus).fill(0xee)];
  return {
    bytes: Uint8Array.from([...packet, ...new Array<number>(plan.padding).fill(0xdd)]),
    l3: ethernet.length,
    l4: ethernet.length + ip.length,
    packetEnd: packet.length,
  };
}

function udpBytes(plan: FramePlan): number[] {
  const len = u16(8 + plan.payload.length);
  const ports = [...u16(plan.sourcePort), ...u16(plan.destinationPort)];
  const pseudo = [...plan.source, ...plan.destination, 0, 17, ...len];
  const checksum = slowChecksum([...pseudo, ...ports, ...len, 0, 0, ...plan.payload]) || 0xffff;
  return [...ports, ...len, ...u16(plan.withoutChecksum ? 0 : checksum), ...plan.payload];
}

function ipv4Bytes(plan: FramePlan, udpLen: number): number[] {
  const headerLen = 20 + plan.options.length;
  const { offset, more } = plan.fragment;
  const fragment = u16(offset === 0 && !more ? 0x4000 : offset | (more ? 0x2000 : 0));
  const total = u16(headerLen + udpLen + plan.surplus);
  const head = [0x40 | (headerLen / 4), 0, ...total, 0, 0, ...fragment, plan.hopLimit, 17];
  const tail = [...plan.source, ...plan.destination, ...plan.options];
  return [...head, ...u16(slowChecksum([...head, 0, 0, ...tail])), ...tail];
}

function ipv6Bytes(plan: FramePlan, udpLen: number): number[] {
  const chain = [...plan.extensions.map(({ type }) => type), 17];
  const extensions = plan.extensions.flatMap(({ type, units }, i) =>
    extensionBytes(plan, type, chain[i + 1]!, units),
  );
  const payloadLen = u16(extensions.length + udpLen + plan.surplus);
  const fixed = [0x60, 0, 0, 0, ...payloadLen, chain[0]!, plan.hopLimit];
  return [...fixed, ...plan.source, ...plan.destination, ...extensions];
}

function extensionBytes(plan: FramePlan, type: number, next: number, units: number): number[] {
  // Routing: of a type for experiments, no segments left. Options: one PadN over all.
  const { offset, more } = plan.fragment;
  if (type === 44) return [next, 0, ...u16((offset << 3) | (more ? 1 : 0)), 1, 2, 3, 4];
  const body = new Array<number>(8 * units + 4).fill(0);
  if (type === 43) return [next, units, 253, 0, ...body];
  return [next, units, 1, 8 * units + 4, ...body];
}

function u16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}

const byte = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffff });
const bytes = (len: number): fc.Arbitrary<number[]> => fc.array(byte, { minLength: len, maxLength: len });

const ends = fc.oneof(
  fc.record({ source: bytes(4), destination: bytes(4) }),
  fc.record({ source: bytes(16), destination: bytes(16) }),
);

/** Every frame that has to be accepted: tags, options, extension headers, surplus, padding. */
export const anyPlan: fc.Arbitrary<FramePlan> = fc
  .record({
    destinationMac: bytes(6),
    sourceMac: bytes(6),
    vlans: fc.array(fc.record({ protocol: fc.constantFrom(0x8100, 0x88a8), tci: word }), { maxLength: 2 }),
    ends,
    hopLimit: byte,
    fragment: fc.constant({ offset: 0, more: false }),
    options: fc.integer({ min: 0, max: 10 }).chain((words) => bytes(4 * words)),
    hopByHop: fc.boolean(),
    extensions: fc.array(
      fc.record({ type: fc.constantFrom(43, 44, 60), units: fc.integer({ min: 0, max: 3 }) }),
      {
        maxLength: 7,
      },
    ),
    sourcePort: word,
    destinationPort: word,
    payload: fc.array(byte, { maxLength: 80 }),
    withoutChecksum: fc.boolean(),
    surplus: fc.integer({ min: 0, max: 9 }),
    padding: fc.integer({ min: 0, max: 20 }),
  })
  .map(({ ends, hopByHop, extensions, options, ...rest }) => ({
    ...rest,
    ...ends,
    withoutChecksum: rest.withoutChecksum && ends.source.length === 4,
    options: hopByHop ? [] : options,
    extensions: hopByHop ? [{ type: 0, units: 1 }, ...extensions] : extensions,
  })) as fc.Arbitrary<FramePlan>;

/** Places for damage: an offset and what is written there. */
export const anyDamage: fc.Arbitrary<{ at: number; value: number }[]> = fc.array(
  fc.record({ at: fc.nat({ max: 120 }), value: byte }),
  { maxLength: 3 },
);

/** Puts a frame into larger memory, at an odd or even place, and returns that memory. */
export function placed(bytes: Uint8Array, offset: number): DataView {
  const memory = new Uint8Array(offset + bytes.length + 5).fill(0xa5);
  memory.set(bytes, offset);
  return new DataView(memory.buffer);
}

// Linux 6.18 sent these over veth, without transmit checksumming: "hello" from port 40000 to port 9000.
const KERNEL_IPV4 =
  '020000000001020000000002080045000021000040004011' + '26ca0a0000010a0000029c402328000de89668656c6c6f';
const KERNEL_IPV6 =
  '02000000000102000000000286dd60000000000d114020010db8000000000000000000000001' +
  '20010db80000000000000000000000029c402328000da12468656c6c6f'; // its flow label zeroed

test('makeFrame() makes the frames that the kernel makes', () => {
  const payload = [...Buffer.from('hello')];
  const ipv4 = makeFrame({ ...plainPlan, source: [10, 0, 0, 1], destination: [10, 0, 0, 2], payload });
  const ipv6 = makeFrame({ ...plainPlan6, payload });
  assert.equal(Buffer.from(ipv4.bytes).toString('hex'), KERNEL_IPV4);
  assert.equal(Buffer.from(ipv6.bytes).toString('hex'), KERNEL_IPV6);
});
