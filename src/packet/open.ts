import { libc } from '../ffi/index.ts';
import {
  capabilityHint,
  check,
  Fd,
  GroupMembership,
  type Link,
  link,
  MappedRegion,
  PromiscuousMode,
  SystemError,
  UnsupportedError,
} from '../sys/index.ts';
import {
  AF_PACKET,
  ARPHRD_ETHER,
  ARPHRD_LOOPBACK,
  ETH_P_ALL,
  MAP_FIXED,
  MAP_POPULATE,
  MAP_SHARED,
  PACKET_IGNORE_OUTGOING,
  PACKET_QDISC_BYPASS,
  PACKET_RESERVE,
  PACKET_RX_RING,
  PACKET_TX_RING,
  PACKET_VERSION,
  PROT_READ,
  PROT_WRITE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
  sockaddr_ll,
  TPACKET_V2,
  tpacket_req,
} from '../sys/uapi/index.ts';
import { filterSocket } from './filterSocket.ts';
import { flowFilter, type UdpDestination } from './flowFilter.ts';
import { blockLen, type PacketLayout, packetLayout } from './layout.ts';
import { quietSocket } from './quietSocket.ts';
import type { PacketSocketSpec } from './socketSpec.ts';

/** What the kernel counts for a frame on its way beside its bytes: struct sk_buff, headers. [bytes] */
const SEND_OVERHEAD = 2048;

/** A packet socket that receives, and its memory. */
export interface OpenedPacketSocket {
  readonly fd: Fd;
  readonly link: Link;
  readonly layout: PacketLayout;
  readonly region: MappedRegion;
  /** one line for every step down from what was asked */
  readonly reasons: readonly string[];
  /** closes it all */
  readonly resources: DisposableStack;
}

/**
 * Opens a packet socket, sets it up and binds it, in this order: of protocol 0 it receives nothing before.
 *
 * @throws RangeError when a size is out of range, or there are too many flows
 * @throws SystemError EPERM without CAP_NET_RAW, ENODEV, ENOMEM, under `strict` EADDRINUSE; with subject and hint
 * @throws UnsupportedError when the interface's frames have no Ethernet header, as those of a tunnel
 */
export function openPacketSocket(spec: PacketSocketSpec): OpenedPacketSocket {
  const name = spec.interface;
  const found = link(name);
  const layout = packetLayout(found.mtu, spec);
  using cleanup = new DisposableStack();
  const fd = cleanup.use(openFd(name));
  const set = (option: string, number: number, value: ArrayBufferView): number =>
    check(
      libc.setsockopt(fd.fd, SOL_PACKET, number, value, value.byteLength),
      'Cannot set up packet socket of',
      `setsockopt(${option})`,
      name,
    );
  set('PACKET_VERSION', PACKET_VERSION, Int32Array.of(TPACKET_V2));
  set('PACKET_RESERVE', PACKET_RESERVE, Uint32Array.of(layout.headroom));
  set('PACKET_IGNORE_OUTGOING', PACKET_IGNORE_OUTGOING, Int32Array.of(1));
  if (spec.qdiscBypass) set('PACKET_QDISC_BYPASS', PACKET_QDISC_BYPASS, Int32Array.of(1));
  set('PACKET_RX_RING', PACKET_RX_RING, ringRequest(layout.rxSize, layout.frameLen));
  set('PACKET_TX_RING', PACKET_TX_RING, ringRequest(layout.txSize, layout.frameLen));
  const reasons = sizeSendBuffer(fd.fd, layout, spec);
  const region = cleanup.use(mapRings(fd.fd, layout, name));
  const { flows = [] } = spec;
  if (flows.length > 0) filterSocket(fd.fd, flowFilter(flows), name);
  if (spec.quiet ?? true) reasons.push(...keepQuiet(spec, flows, cleanup));
  if (spec.promiscuous) cleanup.use(new PromiscuousMode(name));
  for (const group of spec.groups ?? []) cleanup.use(new GroupMembership({ interface: name, group }));
  bind(fd.fd, found.index, name);
  return { fd, link: found, layout, region, reasons, resources: cleanup.move() };
}

function openFd(name: string): Fd {
  const fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd >= 0) return new Fd(fd, `packet socket of ${name}`);
  const errno = libc.errno();
  const hint = capabilityHint(['packet socket']);
  throw new SystemError('Cannot open packet socket of', {
    ...{ syscall: 'socket(AF_PACKET)', errno, subject: name },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** @source linux/if_packet.h, struct tpacket_req */
function ringRequest(size: number, frameLen: number): DataView {
  const request = new DataView(new ArrayBuffer(tpacket_req.sizeof));
  const block = blockLen(size, frameLen);
  request.setUint32(tpacket_req.tp_block_size, block, true);
  request.setUint32(tpacket_req.tp_block_nr, (size * frameLen) / block, true);
  request.setUint32(tpacket_req.tp_frame_size, frameLen, true);
  request.setUint32(tpacket_req.tp_frame_nr, size, true);
  return request;
}

/**
 * Makes room for a whole tx ring on its way: every frame counts against the socket's send buffer.
 *
 * @returns why it is less; the rest then waits for the next flush
 */
function sizeSendBuffer(fd: number, layout: PacketLayout, spec: PacketSocketSpec): string[] {
  const wanted = Math.min(layout.txSize * (layout.frameLen + SEND_OVERHEAD), 2 ** 30);
  // The kernel grants twice what is asked, for its own bookkeeping.
  const value = Int32Array.of(wanted / 2);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, value, 4) < 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, 4);
  }
  libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, Uint32Array.of(4));
  const granted = value[0]!;
  if (granted >= wanted) return [];
  const reason = `send buffer of ${granted} bytes instead of ${wanted}, which takes CAP_NET_ADMIN: a flush sends fewer frames`;
  if (spec.strict) throw new Error(`Cannot open packet socket of ${spec.interface} as asked: ${reason}`);
  return [reason];
}

/** Has the kernel keep quiet about our flows. @returns where it cannot, and why */
function keepQuiet(
  spec: PacketSocketSpec,
  flows: readonly UdpDestination[],
  cleanup: DisposableStack,
): string[] {
  const reasons: string[] = [];
  for (const flow of flows) {
    try {
      cleanup.use(quietSocket(spec.interface, flow));
    } catch (error) {
      if (spec.strict || !(error instanceof SystemError)) throw error;
      reasons.push(`the kernel is not kept quiet over IPv${flow.version}: ${error.message}`);
    }
  }
  return reasons;
}

/** Maps the rings over the first part of a region, whose rest is for our own chunks: one view has all. */
function mapRings(fd: number, layout: PacketLayout, name: string): MappedRegion {
  const region = new MappedRegion({ len: layout.len, what: `packet rings of ${name}` });
  const flags = MAP_SHARED | MAP_POPULATE | MAP_FIXED;
  const ptr = libc.mmap(region.ptr, layout.chunkBase, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (ptr === region.ptr) return region;
  const error = new SystemError('Cannot map packet rings of', { syscall: 'mmap(AF_PACKET)', subject: name });
  region.close();
  throw error;
}

function bind(fd: number, ifindex: number, name: string): void {
  const address = new DataView(new ArrayBuffer(sockaddr_ll.sizeof));
  address.setUint16(sockaddr_ll.sll_family, AF_PACKET, true);
  address.setUint16(sockaddr_ll.sll_protocol, ETH_P_ALL, false);
  address.setInt32(sockaddr_ll.sll_ifindex, ifindex, true);
  check(libc.bind(fd, address, sockaddr_ll.sizeof), 'Cannot bind packet socket to', 'bind(AF_PACKET)', name);
  const type = hardwareType(fd, address);
  if (type === ARPHRD_ETHER || type === ARPHRD_LOOPBACK) return;
  throw new UnsupportedError(
    `A packet port on ${name}`,
    'an interface with Ethernet frames',
    `ARPHRD ${type}`,
  );
}

/** What frames the interface of a bound socket has. @param address - to be overwritten */
function hardwareType(fd: number, address: DataView): number {
  const result = libc.getsockname(fd, address, Uint32Array.of(address.byteLength));
  check(result, 'Cannot read address of', 'getsockname(AF_PACKET)', 'packet socket');
  return address.getUint16(sockaddr_ll.sll_hatype, true);
}
