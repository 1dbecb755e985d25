import { readFileSync } from 'node:fs';

/** Columns of a line of /proc/…/net/udp, apart by blanks. */
const LOCAL_ADDRESS = 1;
const DROPS = 12;

/**
 * Returns how many datagrams the kernel has dropped at an IPv4 UDP socket, from the table of its namespace.
 *
 * The same count as `UdpSocket.drops()`, for a socket whose descriptor `node:dgram` keeps to itself.
 *
 * @param table - text of /proc/PID/task/TID/net/udp
 * @param address - that the socket is bound to: `10.77.0.2`
 * @returns datagrams; 0 when there is no such socket
 * @source net/ipv4/udp.c, udp4_format_sock
 */
export function parseDrops(table: string, address: string, port: number): number {
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, '0');
  // The address stands there as the kernel's u32 of it: on a little-endian host, its bytes are turned around.
  const bytes = address.split('.').map((part) => hex(Number(part), 2));
  const local = `${bytes.reverse().join('')}:${hex(port, 4)}`;
  const lines = table.split('\n').map((line) => line.trim().split(/\s+/));
  return Number(lines.find((line) => line[LOCAL_ADDRESS] === local)?.[DROPS] ?? 0);
}

/** {@link parseDrops} in the namespace of a thread of this process; 0 once the thread is gone. */
export function dropsAt(tid: number, address: string, port: number): number {
  try {
    return parseDrops(readFileSync(`/proc/self/task/${tid}/net/udp`, 'utf8'), address, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
