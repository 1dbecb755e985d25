import { isIPv6 } from 'node:net';
import { libc } from '../ffi/index.ts';
import { check, SystemError } from './error.ts';
import { Fd } from './fd.ts';
import { readSockaddr, SOCKADDR_LEN, type SocketAddress, writeSockaddr } from './socketAddress.ts';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from './uapi/index.ts';

/** What UDP socket to open. */
export interface UdpSocketSpec {
  /** address to bind to; any of the host's IPv4 (IPv6 with an IPv6 peer) when absent; `::` takes IPv4 too unless `ipv6Only` */
  readonly address?: string;
  /** port to bind to; 0, or absent, for any that is free */
  readonly port?: number;
  /** the only peer to send to and receive from */
  readonly peer?: SocketAddress;
  /** receive buffer wanted [bytes]; the kernel's default when absent */
  readonly receiveBufferLen?: number;
  /** most datagrams of a call, 64 when absent */
  readonly burst?: number;
  /** longest datagram kept whole, 2048 when absent [bytes] */
  readonly maxLen?: number;
  readonly reuseAddress?: boolean;
  readonly ipv6Only?: boolean;
}

/** Opens, binds and, with a peer, connects a socket that never blocks. @throws SystemError EADDRINUSE, EADDRNOTAVAIL */
export function openUdp(spec: UdpSocketSpec): Fd {
  const anywhere = spec.peer && isIPv6(spec.peer.address) ? '::' : '0.0.0.0';
  const local = { address: spec.address ?? anywhere, port: spec.port ?? 0 };
  const subject = `${local.address} port ${local.port}`;
  const v6 = isIPv6(local.address);
  const number = libc.socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  check(number, 'Cannot open UDP socket for', 'socket(UDP)', subject);
  using cleanup = new DisposableStack();
  const fd = cleanup.use(new Fd(number, `UDP socket ${subject}`));
  if (spec.reuseAddress) setOption(fd.fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (v6) setOption(fd.fd, IPPROTO_IPV6, IPV6_V6ONLY, spec.ipv6Only ? 1 : 0);
  const name = new DataView(new ArrayBuffer(SOCKADDR_LEN));
  const bound = libc.bind(fd.fd, name, writeSockaddr(name, 0, local));
  check(bound, 'Cannot bind UDP socket to', 'bind(UDP)', subject);
  if (spec.peer) {
    const peer = `${spec.peer.address} port ${spec.peer.port}`;
    const connected = libc.connect(fd.fd, name, writeSockaddr(name, 0, spec.peer));
    check(connected, 'Cannot connect UDP socket to', 'connect(UDP)', peer);
  }
  cleanup.move();
  return fd;
}

/** Returns where a socket is bound. */
export function localAddress(fd: number): SocketAddress {
  const name = new DataView(new ArrayBuffer(SOCKADDR_LEN));
  const result = libc.getsockname(fd, name, new Uint32Array([SOCKADDR_LEN]));
  check(result, 'Cannot read address of UDP socket', 'getsockname');
  return readSockaddr(name, 0);
}

/** What the kernel made of a wish for a receive buffer. */
export interface GrantedBuffer {
  /** [bytes], in the kernel's own accounting of about twice the payload */
  readonly len: number;
  /** why it is smaller than asked; undefined when as asked */
  readonly reason: string | undefined;
}

/** Sizes the receive buffer, beyond the limit of the host where allowed, and reads back what it is. */
export function grantReceiveBuffer(fd: number, wanted: number | undefined): GrantedBuffer {
  let reason: string | undefined;
  // CAP_NET_ADMIN lifts the limit of net.core.rmem_max.
  if (wanted !== undefined && !setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted)) {
    const refused = new SystemError('Cannot exceed net.core.rmem_max', {
      syscall: 'setsockopt(SO_RCVBUFFORCE)',
    });
    setOption(fd, SOL_SOCKET, SO_RCVBUF, wanted);
    reason = refused.message;
  }
  const value = new Int32Array(1);
  const result = libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, new Uint32Array([4]));
  check(result, 'Cannot read receive buffer of UDP socket', 'getsockopt(SO_RCVBUF)');
  // The kernel doubles what is asked, for its own bookkeeping.
  const short = wanted !== undefined && value[0]! < 2 * wanted;
  return { len: value[0]!, reason: short ? (reason ?? 'The kernel granted less') : undefined };
}

/** Sets an integer option. @returns false when the kernel refuses */
function setOption(fd: number, level: number, name: number, value: number): boolean {
  return libc.setsockopt(fd, level, name, new Int32Array([value]), 4) === 0;
}
