import { libc } from '../ffi/index.ts';
import { check, Fd } from '../sys/index.ts';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
  sockaddr_in,
  sockaddr_in6,
} from '../sys/uapi/index.ts';
import { filterSocket } from './filterSocket.ts';
import { DROP_ALL, type UdpDestination } from './flowFilter.ts';

/**
 * Opens a UDP socket of the kernel for a flow, which drops all that it gets: otherwise the kernel would answer each
 * datagram that we receive with ICMP "port unreachable", and the sender's socket with ECONNREFUSED.
 *
 * @throws SystemError EADDRINUSE when another socket has the port, EADDRNOTAVAIL when no interface has the address
 */
export function quietSocket(name: string, { version, port, address }: UdpDestination): Fd {
  const subject = `UDP port ${port} of ${name}`;
  const family = version === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(fd, 'Cannot open socket for', 'socket(UDP)', subject);
  using cleanup = new DisposableStack();
  const socket = cleanup.use(new Fd(fd, `socket that keeps ${subject} quiet`));
  filterSocket(fd, Uint8Array.from(DROP_ALL), name);
  const device = new TextEncoder().encode(`${name}\0`);
  const bound = libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, device.length);
  check(bound, 'Cannot bind socket to', 'setsockopt(SO_BINDTODEVICE)', name);
  if (version === 6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, Int32Array.of(1), 4);
  const [len, addressAt] =
    version === 4
      ? [sockaddr_in.sizeof, sockaddr_in.sin_addr]
      : [sockaddr_in6.sizeof, sockaddr_in6.sin6_addr];
  const local = new DataView(new ArrayBuffer(len));
  local.setUint16(sockaddr_in.sin_family, family, true);
  local.setUint16(sockaddr_in.sin_port, port, false);
  if (address !== undefined) new Uint8Array(local.buffer).set(address, addressAt);
  check(libc.bind(fd, local, len), 'Cannot bind socket to', 'bind(UDP)', subject);
  cleanup.move();
  return socket;
}
