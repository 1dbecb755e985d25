import { formatIp, parseIp } from './ipAddress.ts';
import { AF_INET, AF_INET6, sockaddr_in, sockaddr_in6 } from './uapi/index.ts';

/** An IP address with a port. */
export interface SocketAddress {
  /** IPv4 or IPv6, without a zone */
  readonly address: string;
  readonly port: number;
}

/** Room for a socket address of either family. [bytes] */
export const SOCKADDR_LEN: number = sockaddr_in6.sizeof;

/** The address in the socket address of each family, and how long both are. [bytes] */
const fields = {
  [AF_INET]: { offset: sockaddr_in.sin_addr, len: 4, size: sockaddr_in.sizeof },
  [AF_INET6]: { offset: sockaddr_in6.sin6_addr, len: 16, size: sockaddr_in6.sizeof },
} as const;

/**
 * Writes a socket address where the kernel will read it.
 *
 * @returns its length [bytes]
 * @throws TypeError when the address is none, RangeError when the port is none
 */
export function writeSockaddr(view: DataView, offset: number, to: SocketAddress): number {
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 65535) {
    throw new RangeError(`Cannot use port: want 0 to 65535, got ${to.port}`);
  }
  const { family, bytes } = parseIp(to.address);
  const field = fields[family];
  const all = new Uint8Array(view.buffer, view.byteOffset + offset, field.size).fill(0);
  all.set(bytes, field.offset);
  view.setUint16(offset + sockaddr_in.sin_family, family, true);
  view.setUint16(offset + sockaddr_in.sin_port, to.port, false);
  return field.size;
}

/** Reads the socket address that the kernel wrote. @throws TypeError when it is of another family */
export function readSockaddr(view: DataView, offset: number): SocketAddress {
  const family = view.getUint16(offset + sockaddr_in.sin_family, true);
  if (family !== AF_INET && family !== AF_INET6) {
    throw new TypeError(`Cannot read socket address: want family ${AF_INET} or ${AF_INET6}, got ${family}`);
  }
  const field = fields[family];
  const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + field.offset, field.len);
  return { address: formatIp(bytes), port: view.getUint16(offset + sockaddr_in.sin_port, false) };
}
